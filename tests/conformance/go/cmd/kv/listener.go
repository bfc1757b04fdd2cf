package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-plugin"
)

// serveOwnListener serves go-plugin's own gRPC server (health, broker,
// controller, stdio, reflection) on a listener made here. plugin.Serve knows
// tcp on Windows only and prints its line itself.
func serveOwnListener(f flags, config *plugin.ServeConfig) {
	if os.Getenv(config.MagicCookieKey) != config.MagicCookieValue {
		fmt.Fprintln(os.Stderr, "This binary is a plugin.")
		os.Exit(1)
	}
	version := negotiate(sortedVersions(config.VersionedPlugins))
	listener, err := listen(f.network)
	must(err)
	defer listener.Close()
	secured, certificate := serverTLS(os.Getenv("PLUGIN_CLIENT_CERT"))

	stdoutReader, stdoutWriter, err := os.Pipe()
	must(err)
	stderrReader, stderrWriter, err := os.Pipe()
	must(err)
	server := &plugin.GRPCServer{
		Plugins: config.VersionedPlugins[version],
		Server:  config.GRPCServer,
		TLS:     secured,
		DoneCh:  make(chan struct{}),
		Stdout:  stdoutReader,
		Stderr:  stderrReader,
	}
	must(server.Init())
	fields := []string{"1", strconv.Itoa(version), listener.Addr().Network(),
		listener.Addr().String(), "grpc", certificate, "false"}
	count := f.fields
	if count == 0 {
		count = 6
	}
	fmt.Println(strings.Join(fields[:count], "|"))
	os.Stdout, os.Stderr = stdoutWriter, stderrWriter
	server.Serve(listener)
}

// negotiate picks as go-plugin does: the highest common version, or the lowest
// of ours.
func negotiate(ours []int) int {
	theirs := strings.Split(os.Getenv("PLUGIN_PROTOCOL_VERSIONS"), ",")
	for _, version := range ours {
		for _, text := range theirs {
			if text == strconv.Itoa(version) {
				return version
			}
		}
	}
	return ours[len(ours)-1]
}

func listen(network string) (net.Listener, error) {
	switch network {
	case "unix":
		directory := os.Getenv(plugin.EnvUnixSocketDir)
		if directory == "" {
			directory = os.TempDir()
		}
		name := fmt.Sprintf("kv%d", os.Getpid())
		return net.Listen("unix", filepath.Join(directory, name))
	case "tcp6":
		return net.Listen("tcp", "[::1]:0")
	}
	first, _ := strconv.Atoi(os.Getenv("PLUGIN_MIN_PORT"))
	last, _ := strconv.Atoi(os.Getenv("PLUGIN_MAX_PORT"))
	for port := first; port <= last; port++ {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return listener, nil
		}
	}
	return nil, fmt.Errorf("no free port in %d..%d", first, last)
}

// serverTLS is go-plugin's AutoMTLS, whose own function is not exported: a
// one-time P-521 certificate, the host's as the only root.
func serverTLS(clientCertificate string) (*tls.Config, string) {
	if clientCertificate == "" {
		return nil, ""
	}
	key, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	must(err)
	template := &x509.Certificate{
		Subject:  pkix.Name{CommonName: "localhost", Organization: []string{"conformance"}},
		DNSNames: []string{"localhost"},
		ExtKeyUsage: []x509.ExtKeyUsage{
			x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment |
			x509.KeyUsageKeyAgreement | x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		NotBefore:             time.Now().Add(-30 * time.Second),
		NotAfter:              time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(err)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(clientCertificate)) {
		must(fmt.Errorf("PLUGIN_CLIENT_CERT holds no certificate"))
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    roots,
		RootCAs:      roots,
		MinVersion:   tls.VersionTLS12,
		ServerName:   "localhost",
	}, base64.RawStdEncoding.EncodeToString(der)
}

// serveTestMode prints one JSON object, as Terraform hands it over in
// TF_REATTACH_PROVIDERS, and serves until Shutdown or the lifetime's end.
func serveTestMode(config *plugin.ServeConfig) {
	reattach := make(chan *plugin.ReattachConfig)
	done := make(chan struct{})
	config.Test = &plugin.ServeTestConfig{ReattachConfigCh: reattach, CloseCh: done}
	go plugin.Serve(config)
	r := <-reattach
	must(json.NewEncoder(os.Stdout).Encode(map[string]interface{}{
		"Protocol":        string(r.Protocol),
		"ProtocolVersion": r.ProtocolVersion,
		"Pid":             r.Pid,
		"Test":            r.Test,
		"Addr": map[string]string{
			"Network": r.Addr.Network(), "String": r.Addr.String()},
	}))
	<-done
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
