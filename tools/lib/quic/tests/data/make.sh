#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes the certificates of the tests. They are committed, so that tests need no tool and no
# clock: what is valid stays so until 2124. The keys protect nothing.
set -e
cd "$(dirname "$0")"
START=20200101000000Z
END=21240101000000Z

ca() {
	openssl ecparam -genkey -name prime256v1 -noout -out "$1.key"
	openssl req -x509 -new -key "$1.key" -sha256 -not_before $START -not_after $END \
		-subj "/CN=$2" -addext basicConstraints=critical,CA:TRUE \
		-addext keyUsage=critical,keyCertSign -out "$1.pem"
}

# leaf FILE NAMES PURPOSE NOT-BEFORE NOT-AFTER
leaf() {
	openssl req -new -key leaf.key -subj /CN=leaf -out leaf.csr
	printf 'subjectAltName=%s\nbasicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=%s\n' \
		"$2" "$3" > leaf.ext
	openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -sha256 -extfile leaf.ext \
		-not_before "$4" -not_after "$5" -out "$1.pem"
	cat ca.pem >> "$1.pem"
}

ca ca "tests of libquic"
ca other-ca "another authority"
openssl ecparam -genkey -name prime256v1 -noout -out leaf.key
leaf server DNS:server.test,DNS:localhost,IP:127.0.0.1,IP:::1 serverAuth $START $END
leaf expired DNS:server.test serverAuth $START 20210101000000Z
leaf future DNS:server.test serverAuth 21230101000000Z $END
leaf client DNS:client.test clientAuth $START $END
rm -f leaf.csr leaf.ext ca.key other-ca.key
chmod 644 leaf.key
