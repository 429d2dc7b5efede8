#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# In the guest: connections of the kernel itself. A test module is the consumer of both ends, quic-handshaked does
# the handshakes: certificates and pre-shared keys, of files and keyrings; what must fail fails with its errno.
# Prints TAP.
set -uo pipefail
# A session keyring of its own: the daemon inherits it, and finds the keys.
[ -n "${QUIC_SESSION:-}" ] || QUIC_SESSION=1 exec keyctl session - bash "$0" "$@"
. "$(dirname "$0")/lib.sh"
DIR=/tmp/handshake
KO=$OUT/handshake/quic_handshake_test.ko
DAEMON=$OUT/target/release/quic-handshaked

install_module
make_certificate $DIR/pki server.test localhost
make_certificate $DIR/other other.test
printf '127.0.0.1 localhost\n' >$DIR/hosts
mount --bind $DIR/hosts /etc/hosts
modprobe quic

# config NAME TRUST [DIR-OF-THE-SERVER'S-CERTIFICATE [DIR-OF-THE-CLIENT'S]]
config() {
	printf '[debug]\nloglevel=1\n[authenticate.client]\nx509.truststore=%s\n' "$2"
	[ -z "${4:-}" ] || printf 'x509.certificate=%s/server.pem\nx509.private_key=%s/server.key\n' "$4" "$4"
	printf '[authenticate.server]\nx509.truststore=%s\n' "$2"
	[ -z "${3:-}" ] || printf 'x509.certificate=%s/server.pem\nx509.private_key=%s/server.key\n' "$3" "$3"
} >"$DIR/$1.conf"
config plain $DIR/pki/ca.pem $DIR/pki
config both $DIR/pki/ca.pem $DIR/pki $DIR/pki
config stranger $DIR/other/ca.pem $DIR/pki
config bare $DIR/pki/ca.pem

# daemon CONFIG: runs the daemon with it, in place of the one that ran
DAEMON_PID=''
daemon() {
	[ -z "$DAEMON_PID" ] || { kill "$DAEMON_PID"; wait "$DAEMON_PID" 2>/dev/null; }
	[ -n "${1:-}" ] || { DAEMON_PID=''; return; }
	"$DAEMON" --config "$DIR/$1.conf" >"$DIR/$1.log" 2>&1 &
	DAEMON_PID=$!
	LOG=$DIR/$1.log
	wait_for 60 grep -q 'waiting for requests' "$LOG"
}

# connects SENTENCE [PARAMETER=VALUE…]: the consumer finds what its parameters say
connects() {
	local what=$1 status=0
	shift
	dmesg -C
	insmod "$KO" "$@" >$DIR/insmod 2>&1 || status=1
	[ "$status" != 0 ] || rmmod quic_handshake_test || status=1
	dmesg >$DIR/dmesg
	grep -E 'BUG:|WARNING:|Oops|refcount|Call Trace' $DIR/dmesg && status=1
	result "$status" "$what" $DIR/insmod $DIR/dmesg "$LOG"
}
# said SENTENCE PATTERN: the daemon's log has it
said() {
	local status=0
	grep -qE "$2" "$LOG" || status=1
	result "$status" "$1" "$LOG"
}

LOG=/dev/null
connects 'without an agent the consumer is told so at once' submit_status=3
daemon plain
connects 'certificates of files, for the name that the consumer gives'
connects 'the name is that of the address if the consumer gives none' name=
connects 'a consumer without an identity still verifies the server' mode=anon
connects 'a certificate for another name: EACCES at both ends' name=elsewhere.test client_status=13 server_status=13
said 'the daemon says what is wrong with the certificate' 'client of .* not for elsewhere\.test'
said 'and the server learns it' 'server of .*peer refused the handshake: bad certificate .*not for elsewhere'
connects 'a client that trusts everybody' name=elsewhere.test client_cert_request=3
connects 'nobody answers: ETIMEDOUT after the consumer'\''s time' silent=1 timeout_ms=1500 client_status=110
for cipher in 51 52 53 54; do connects "with cipher type $cipher only" cipher=$cipher; done
connects 'a second connection continues the first, with early data' resume=1
said 'the second session was resumed at both ends' 'server of .*resumed'
connects 'a client without the certificate that the server asks for is welcome' server_cert_request=1
connects 'a client without the certificate that the server demands: EACCES there' server_cert_request=2 server_status=13
daemon both
connects 'a client'\''s certificate becomes a key of the server'\''s consumer' server_cert_request=2 peerid=1
daemon stranger
connects 'a certificate of an unknown authority: EACCES' client_status=13 server_status=13

daemon bare
ring=$(keyctl newring quic-test @s)
for file in pem key; do
	form=x509
	[ $file = pem ] || form=pkey
	openssl $form -in $DIR/pki/server.$file -outform DER -out $DIR/server.$file.der
done
cert=$(keyctl padd user server-cert "$ring" <$DIR/server.pem.der)
key=$(keyctl padd user server-key "$ring" <$DIR/server.key.der)
connects 'certificate and key of a keyring, in DER' keyring="$ring" server_keys="$cert,$key"
connects 'a server without any certificate: EINVAL there, and the end at the client' server_status=22 client_status=104
said 'and that it was refused' 'client of .*connection refused'
one=$(openssl rand 32 | keyctl padd user one "$ring")
two=$(keyctl pipe "$one" | keyctl padd user two "$ring")
# Another key under the same name, in another ring.
other=$(keyctl newring quic-other @s)
three=$(openssl rand 32 | keyctl padd user one "$other")
connects 'a pre-shared key, named by its serial number' mode=psk keyring="$ring" client_keys="$one,0" server_keys="$one,0" peerid=1
connects 'another identity with the same key is refused' mode=psk client_keys="$two,0" server_keys="$one,0" server_status=71 client_status=13
said 'and the client learns it' 'client of .*unknown PSK identity'
connects 'another key of the same identity is refused' mode=psk client_keys="$three,0" server_keys="$one,0" server_status=71 client_status=13
said 'and the client learns that, too' 'client of .*decrypt error'
connects 'a key that does not exist: its errno' mode=psk client_keys="1,0" server_keys="$one,0" client_status=126 silent=1
daemon ''
umount /etc/hosts
result_of_use $DIR
echo "1..$N"
exit "$BAD"
