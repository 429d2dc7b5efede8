// SPDX-License-Identifier: GPL-2.0

// The other end for the interoperation tests: hq-interop (HTTP/0.9 over QUIC) with quic-go.
//
//	quic_go_peer server ADDRESS PORT CERTIFICATE KEY FOLDER
//	quic_go_peer client ADDRESS PORT AUTHORITY NAME FOLDER PATH...
//
// The server prints "listening" once it is ready. The client stores each answer in FOLDER, and verifies the server's
// certificate against AUTHORITY and NAME. Options come from the environment: RETRY=1 (server: validate addresses by
// Retry), VERSION=2 (QUIC version 2 first), RESUME=1 (client: a second connection, which must resume the first one's
// session), EARLY=1 (client: the same, and the requests must arrive as early data).
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"

	"github.com/quic-go/quic-go"
)

var alpn = []string{"hq-interop"}

func configuration() *quic.Config {
	config := &quic.Config{Allow0RTT: true}
	if os.Getenv("VERSION") == "2" {
		config.Versions = []quic.Version{quic.Version2, quic.Version1}
	}
	return config
}

func answer(stream quic.Stream, folder string) {
	defer stream.Close()
	request, err := io.ReadAll(stream)
	words := bytes.Fields(request)
	if err != nil || len(words) < 2 {
		return
	}
	file, err := os.Open(filepath.Join(folder, filepath.Base(string(words[1]))))
	if err != nil {
		return
	}
	defer file.Close()
	io.Copy(stream, file)
}

func serve(conn quic.Connection, folder string) {
	for {
		stream, err := conn.AcceptStream(context.Background())
		if err != nil {
			return
		}
		go answer(stream, folder)
	}
}

func server(address, certificate, key, folder string) error {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return err
	}
	local, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return err
	}
	socket, err := net.ListenUDP("udp", local)
	if err != nil {
		return err
	}
	retry := os.Getenv("RETRY") != ""
	transport := &quic.Transport{Conn: socket, VerifySourceAddress: func(net.Addr) bool { return retry }}
	listener, err := transport.ListenEarly(
		&tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: alpn}, configuration())
	if err != nil {
		return err
	}
	fmt.Println("listening")
	for {
		conn, err := listener.Accept(context.Background())
		if err != nil {
			return err
		}
		go serve(conn, folder)
	}
}

func get(conn quic.Connection, path, folder string) error {
	stream, err := conn.OpenStreamSync(context.Background())
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(stream, "GET /%s\r\n", path); err != nil {
		return err
	}
	stream.Close()
	file, err := os.Create(filepath.Join(folder, filepath.Base(path)))
	if err != nil {
		return err
	}
	defer file.Close()
	size, err := io.Copy(file, stream)
	fmt.Printf("got %s: %d bytes\n", path, size)
	return err
}

func fetch(conn quic.Connection, folder string, paths []string) error {
	done := make(chan error)
	for _, path := range paths {
		go func(path string) { done <- get(conn, path, folder) }(path)
	}
	var first error
	for range paths {
		if err := <-done; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Tells when the first ticket has come.
type tickets struct {
	tls.ClientSessionCache
	came chan struct{}
}

func (t *tickets) Put(key string, state *tls.ClientSessionState) {
	t.ClientSessionCache.Put(key, state)
	if state != nil {
		select {
		case t.came <- struct{}{}:
		default:
		}
	}
}

func client(address, authority, name, folder string, paths []string) error {
	pem, err := os.ReadFile(authority)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	cache := &tickets{tls.NewLRUClientSessionCache(4), make(chan struct{}, 1)}
	tlsConfig := &tls.Config{RootCAs: pool, ServerName: name, NextProtos: alpn, ClientSessionCache: cache}
	ctx := context.Background()
	conn, err := quic.DialAddr(ctx, address, tlsConfig, configuration())
	if err != nil {
		return err
	}
	early := os.Getenv("EARLY") != ""
	resume := early || os.Getenv("RESUME") != ""
	if resume {
		if err := fetch(conn, folder, paths); err != nil {
			return err
		}
		<-cache.came
		conn.CloseWithError(0, "")
		if early {
			conn, err = quic.DialAddrEarly(ctx, address, tlsConfig, configuration())
		} else {
			conn, err = quic.DialAddr(ctx, address, tlsConfig, configuration())
		}
		if err != nil {
			return err
		}
	}
	if err := fetch(conn, folder, paths); err != nil {
		return err
	}
	state := conn.ConnectionState()
	fmt.Println("version", state.Version, "resumed", state.TLS.DidResume, "early data", state.Used0RTT)
	conn.CloseWithError(0, "")
	if resume && !state.TLS.DidResume {
		return errors.New("the session was not resumed")
	}
	if early && !state.Used0RTT {
		return errors.New("the early data was not accepted")
	}
	if os.Getenv("VERSION") == "2" && state.Version != quic.Version2 {
		return errors.New("the connection is not version 2")
	}
	return nil
}

func main() {
	args := os.Args[1:]
	switch {
	case len(args) == 6 && args[0] == "server":
		log.Fatal(server(net.JoinHostPort(args[1], args[2]), args[3], args[4], args[5]))
	case len(args) > 6 && args[0] == "client":
		if err := client(net.JoinHostPort(args[1], args[2]), args[3], args[4], args[5], args[6:]); err != nil {
			log.Fatal(err)
		}
	default:
		log.Fatal("usage: quic_go_peer server ADDRESS PORT CERTIFICATE KEY FOLDER |\n" +
			"       quic_go_peer client ADDRESS PORT AUTHORITY NAME FOLDER PATH...")
	}
}
