// SPDX-License-Identifier: MPL-2.0

package sink

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/auditlogs/terraform-provider-audit/internal/durable"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

// Kind is a kind of sink.
type Kind string

// The kinds of sinks.
const (
	Stdout Kind = "stdout"
	OTLP   Kind = "otlp"
	Syslog Kind = "syslog"
	Files  Kind = "file"
)

// TargetForms names the accepted forms of a target.
const TargetForms = `"otlp+https://host:4318", "otlp+http://localhost:4318", "syslog+tls://host:6514", ` +
	`"syslog+tcp://localhost:601", or "file:" and a directory`

// Target is where entries are handed over to.
type Target struct {
	Kind Kind
	// Host and Port are of OTLP and syslog, Path of OTLP.
	Host, Port, Path string
	// TLS says that the connection is encrypted.
	TLS bool
	// Directory is of files.
	Directory string
}

// TargetError says what is wrong with a target. Its text completes the sentence "it is …" and repeats no part that
// could be a secret.
type TargetError struct{ Problem string }

func (e *TargetError) Error() string { return e.Problem }

// schemes are what targets begin with, and their usual ports.
var schemes = map[string]struct {
	kind Kind
	tls  bool
	port string
}{
	"otlp+https": {OTLP, true, "4318"},
	"otlp+http":  {OTLP, false, "4318"},
	"syslog+tls": {Syslog, true, "6514"},
	"syslog+tcp": {Syslog, false, "601"},
}

const filePrefix = "file:"

// ParseTarget reads a target; "" and "-" are standard output. It looks at the text and at nothing else. Its errors are
// *TargetError. A password in it is never shown from then on.
func ParseTarget(text string) (Target, error) {
	if text == "" || text == "-" {
		return Target{Kind: Stdout}, nil
	}

	if directory, ok := strings.CutPrefix(text, filePrefix); ok && !strings.HasPrefix(directory, "//") {
		if err := durable.CheckPath(directory); err != nil {
			return Target{}, &TargetError{err.Error()}
		}

		return Target{Kind: Files, Directory: filepath.Clean(directory)}, nil
	}

	// What url.Parse says repeats the text, password included.
	u, err := url.Parse(text)
	if err != nil {
		return Target{}, &TargetError{"not a readable address: look for \"%\" and spaces"}
	}

	if u.User != nil {
		if password, ok := u.User.Password(); ok {
			screen.Login(u.User.Username(), password)
		} else {
			screen.Secret(u.User.Username())
		}

		return Target{}, &TargetError{"an address with a user name or password in it; " +
			"the headers of OTLP come from the variable OTEL_EXPORTER_OTLP_HEADERS"}
	}

	scheme, ok := schemes[strings.ToLower(u.Scheme)]

	switch {
	case !ok:
		return Target{}, &TargetError{"no place that entries can be passed on to"}
	case u.Hostname() == "":
		return Target{}, &TargetError{"an address without a host"}
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return Target{}, &TargetError{"an address with a \"?\" or a \"#\" in it"}
	case scheme.kind == Syslog && strings.Trim(u.Path, "/") != "":
		return Target{}, &TargetError{"an address of a syslog server with a path"}
	}

	return Target{
		Kind: scheme.kind, TLS: scheme.tls, Host: u.Hostname(), Port: cmp.Or(u.Port(), scheme.port),
		Path: strings.TrimRight(u.Path, "/"),
	}, nil
}

// Address is the host with its port.
func (t Target) Address() string { return net.JoinHostPort(t.Host, t.Port) }

// Local says that a target is on this machine.
func (t Target) Local() bool {
	a, err := netip.ParseAddr(t.Host)

	return t.Kind == Stdout || t.Kind == Files || t.Host == "localhost" || err == nil && a.IsLoopback()
}

// InTheClear says that anybody on the way to the target could read what is sent.
func (t Target) InTheClear() bool { return !t.TLS && !t.Local() }

// String is the target as it is written.
func (t Target) String() string {
	switch t.Kind {
	case Stdout:
		return "standard output"
	case Files:
		return filePrefix + t.Directory
	case OTLP, Syslog:
	}

	for name, scheme := range schemes {
		if scheme.kind == t.Kind && scheme.tls == t.TLS {
			return name + "://" + t.Address() + t.Path
		}
	}

	return ""
}
