// SPDX-License-Identifier: MPL-2.0

package sink_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/auditlogs/terraform-provider-audit/internal/follow/sink"
)

const rsyslogConfiguration = `
global(workDirectory="%[1]s" maxMessageSize="1m" defaultNetstreamDriver="gtls"
  defaultNetstreamDriverCAFile="%[1]s/certificate" defaultNetstreamDriverCertFile="%[1]s/certificate"
  defaultNetstreamDriverKeyFile="%[1]s/key")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="%[1]s/port")
template(name="text" type="string" string="%%app-name%% %%msgid%% %%timestamp:::date-rfc3339%% %%msg%%\n")
action(type="omfile" file="%[1]s/out" template="text" asyncWriting="off" flushOnTXEnd="on")
`

// A real rsyslog has every entry, whole, in order and once, also when it is restarted in between.
func TestRsyslog(t *testing.T) {
	t.Parallel()

	program, err := exec.LookPath("rsyslogd")
	if err != nil {
		program = "/usr/sbin/rsyslogd"
	}

	driver, _ := filepath.Glob("/usr/lib/*/rsyslog/lmnsd_gtls.so")
	if _, err := os.Stat(program); err != nil || len(driver) == 0 {
		t.Skip("rsyslog is left out: install the packages rsyslog and rsyslog-gnutls to have it tested")
	}

	directory := t.TempDir()
	authority := makeCertificate(t, directory)
	configuration := filepath.Join(directory, "rsyslog.conf")

	if err := os.WriteFile(configuration, fmt.Appendf(nil, rsyslogConfiguration, directory), 0o600); err != nil {
		t.Fatal(err)
	}

	all := entries(1200)
	all[7].Message = strings.Repeat("é", 50_000)

	for begin := 0; begin < len(all); begin += 400 {
		stop := startRsyslog(t, program, configuration, directory)

		port, err := os.ReadFile(filepath.Join(directory, "port"))
		if err != nil {
			t.Fatal(err)
		}

		s, err := sink.NewSyslog(sink.SyslogOptions{
			Target:      target(t, "syslog+tls://127.0.0.1:"+strings.TrimSpace(string(port))),
			Authorities: authority, Hostname: "runner",
		})
		if err != nil {
			t.Fatal(err)
		}

		for at := begin; at < begin+400; at += 100 {
			if err := s.Take(t.Context(), all[at:at+100]); err != nil {
				t.Fatal(err)
			}
		}

		stop()
	}

	out, err := os.ReadFile(filepath.Join(directory, "out"))
	if err != nil {
		t.Fatal(err)
	}

	lines := strings.SplitAfter(string(out), "\n")
	if len(lines) != len(all)+1 {
		t.Fatalf("rsyslog has %d messages", len(lines)-1)
	}

	for i := range all {
		want := "auditlog create " + all[i].Time.Format(time.RFC3339Nano) + " " + written(t, all[i:i+1])
		if lines[i] != want {
			t.Errorf("message %d is %.300s, not %.300s", i, lines[i], want)

			break
		}
	}
}

// startRsyslog returns what ends it.
func startRsyslog(t *testing.T, program, configuration, directory string) (stop func()) {
	t.Helper()

	port := filepath.Join(directory, "port")
	_ = os.Remove(port)

	cmd := exec.CommandContext(t.Context(), program, "-n", "-f", configuration, "-i", filepath.Join(directory, "pid"))

	var said strings.Builder

	cmd.Stdout, cmd.Stderr = &said, &said

	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	ended := make(chan error, 1)

	go func() { ended <- cmd.Wait() }()

	for {
		if text, err := os.ReadFile(port); err == nil && len(text) > 0 {
			return func() {
				_ = cmd.Process.Signal(syscall.SIGTERM)

				if err := <-ended; err != nil {
					t.Errorf("%v: %s", err, said.String())
				}
			}
		}

		select {
		case err := <-ended:
			t.Fatalf("rsyslog does not start: %v: %s", err, said.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// makeCertificate makes a server's certificate and its key, and returns the former.
func makeCertificate(t *testing.T, directory string) []byte {
	t.Helper()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}

	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "rsyslog"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}

	certificate, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}

	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}

	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})

	for name, data := range map[string][]byte{
		"certificate": text, "key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	} {
		if err := os.WriteFile(filepath.Join(directory, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	return text
}
