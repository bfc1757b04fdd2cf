// Package tlsfiles has the flags by which the peers get certificates of the
// test's own, in place of AutoMTLS.
package tlsfiles

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"os"
)

// Flags name PEM files. Both sides show a certificate and check the other's.
type Flags struct {
	roots, certificate, key string
}

// Define makes -tls-roots, -tls-cert and -tls-key.
func (f *Flags) Define() {
	flag.StringVar(&f.roots, "tls-roots", "", "PEM file: whom to trust; TLS of the caller's own")
	flag.StringVar(&f.certificate, "tls-cert", "", "PEM file: our certificate")
	flag.StringVar(&f.key, "tls-key", "", "PEM file: its key")
}

// Given tells whether -tls-roots was.
func (f *Flags) Given() bool { return f.roots != "" }

// Config reads the files.
func (f *Flags) Config() (*tls.Config, error) {
	pem, err := os.ReadFile(f.roots)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", f.roots)
	}
	pair, err := tls.LoadX509KeyPair(f.certificate, f.key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair},
		RootCAs:      roots,
		ClientCAs:    roots,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ServerName:   "localhost",
	}, nil
}
