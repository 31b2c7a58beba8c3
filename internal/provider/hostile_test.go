// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// harmless wants diagnostics that hold none of the secrets and nothing that a
// terminal would obey or hide.
func harmless(t *testing.T, diags []*tfprotov6.Diagnostic, secrets ...string) {
	t.Helper()

	for _, d := range diags {
		text := d.Summary + "\n" + d.Detail

		for _, secret := range secrets {
			if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
				t.Errorf("it tells %s:\n%s", secret, text)
			}
		}

		if strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsGraphic(r) }) {
			t.Errorf("it is obeyed by a terminal:\n%q", text)
		}
	}
}

// rawServer answers every request with these very bytes and hangs up.
func rawServer(t *testing.T, answer func(r *http.Request) string) string {
	t.Helper()

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = l.Close() })

	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}

			go func() {
				defer func() { _ = conn.Close() }()

				if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = conn.Write([]byte(answer(r)))
				}
			}()
		}
	}()

	return "http://" + l.Addr().String()
}

// jsonAnswer is an answer with a length.
func jsonAnswer(status, body string, headers ...string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n%s\r\n%s",
		status, len(body), strings.Join(append(headers, ""), "\r\n"), body)
}

// TestHostileServersTellNoSecret: a server has the credential, and can write it
// wherever it likes, in whatever encoding.
func TestHostileServersTellNoSecret(t *testing.T) {
	t.Parallel()

	const (
		token    = "ucat_Hostile+Token/9"
		password = "Hostile%Pass word"
		evil     = "\x1b[2J\u202e\u009b\u2028Verdict"
	)

	pair := base64.StdEncoding.EncodeToString([]byte("hostile-user:" + password))
	lines := func(all ...string) string { return strings.Join(all, "\r\n") + "\r\n\r\n" }

	for name, answer := range map[string]func(echo string) string{
		"malformed header":    func(echo string) string { return lines("HTTP/1.1 200 OK", "Echo "+echo) },
		"header with a space": func(echo string) string { return lines("HTTP/1.1 200 OK", " "+echo+": x") },
		"malformed name":      func(echo string) string { return lines("HTTP/1.1 200 OK", "("+echo+"): x") },
		"status line":         func(echo string) string { return lines("HTTP/1.1 " + echo) },
		"protocol":            func(echo string) string { return lines(echo + " 200 OK") },
		"Content-Length":      func(echo string) string { return lines("HTTP/1.1 200 OK", "Content-Length: "+echo) },
		"Transfer-Encoding":   func(echo string) string { return lines("HTTP/1.1 200 OK", "Transfer-Encoding: "+echo) },
		"Location": func(echo string) string {
			return lines("HTTP/1.1 302 Found", "Location: https://"+echo+".example.com/")
		},
		"unreadable Location": func(echo string) string {
			return lines("HTTP/1.1 302 Found", "Location: https://a b:"+echo+"%zz")
		},
		"Location with a user": func(echo string) string {
			return lines("HTTP/1.1 302 Found", "Location: https://user:"+echo+"@example.com/")
		},
		"Retry-After": func(echo string) string {
			return lines("HTTP/1.1 429 Slow", "Retry-After: "+echo, "Content-Length: 0")
		},
		"WWW-Authenticate": func(echo string) string {
			return lines("HTTP/1.1 401 No", "WWW-Authenticate: "+echo, "Content-Length: 0")
		},
		"Content-Type": func(echo string) string {
			return lines("HTTP/1.1 404 No", "Content-Type: text/"+echo, "Content-Length: 1") + "x"
		},
		"Date and total": func(echo string) string {
			return jsonAnswer("200 OK", `{"audit_logs":[]}`, "UpCloud-Total-Count: "+echo, "Date: "+echo)
		},
		"page":  func(echo string) string { return jsonAnswer("200 OK", "<html>"+echo) },
		"shape": func(echo string) string { return jsonAnswer("200 OK", `{"`+echo+`":1}`) },
		"problem": func(echo string) string {
			text := quotedJSON(echo)

			return jsonAnswer("400 No", fmt.Sprintf(`{"type":%[1]s,"title":%[1]s,"detail":%[1]s,"correlation_id":%[1]s,"invalid_params":[{"name":%[1]s,"reason":%[1]s}]}`, text))
		},
		"legacy problem": func(echo string) string {
			text := quotedJSON(echo)

			return jsonAnswer("403 No", fmt.Sprintf(`{"error":{"error_code":%[1]s,"error_message":%[1]s}}`, text))
		},
		"fields": func(echo string) string {
			text := quotedJSON(echo)

			return jsonAnswer("400 No", fmt.Sprintf(`{%[1]s:[%[1]s,%[1]s]}`, text))
		},
		"cut behind many": func(echo string) string {
			text := quotedJSON(strings.Repeat("x", 290) + echo)

			return jsonAnswer("400 No", fmt.Sprintf(`{"detail":%s}`, text))
		},
		"next, foreign": func(echo string) string {
			return jsonAnswer("200 OK", next("https://"+url.PathEscape(echo)+".example.com/"))
		},
		"next, a user": func(echo string) string {
			return jsonAnswer("200 OK", next("https://u:"+url.QueryEscape(echo)+"@example.com/"))
		},
		"next, unread": func(echo string) string { return jsonAnswer("200 OK", next("http://%"+echo)) },
		"next, path": func(echo string) string {
			return jsonAnswer("200 OK", next("/v1/"+url.PathEscape(echo)+"?x=%1b%5b2J"))
		},
		"next, no escape": func(echo string) string { return jsonAnswer("200 OK", next("/v1/"+echo)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			for _, service := range []string{"upcloud", "cloudscale"} {
				w := newWorld(t, fakeapi.Options{})

				for _, echo := range []string{token, password, pair, evil, "https://u:" + token + "@example.com"} {
					w.upcloud = rawServer(t, func(*http.Request) string { return answer(echo) })

					access := args{"endpoint": w.upcloud, "token": token}
					if service == "upcloud" && echo != token {
						access = args{"endpoint": w.upcloud, "username": "hostile-user", "password": password}
					}

					a := w.provider(t, args{service: access, "max_retries": 1, "retry_wait_min": "1ms", "retry_wait_max": "1ms"}).
						read("audit_logs", args{"service": service})

					harmless(t, a.diags, token, url.QueryEscape(token), password, url.PathEscape(password), pair,
						strings.TrimRight(pair, "="))
				}
			}
		})
	}
}

// next is a page of cloudscale's that leads to another one.
func next(link string) string {
	return `{"next":` + quotedJSON(link) + `,"poll_more":null,"results":[]}`
}

func quotedJSON(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // A string can be encoded.
	}

	return string(quoted)
}

// TestHostileFilesAreHarmless: names of files and what stands in them are shown, and
// can be anybody's.
func TestHostileFilesAreHarmless(t *testing.T) {
	t.Parallel()

	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such names")
	}

	const evil = "\x1b[2J\u202eVerdict\nOK\u2028"

	w := newWorld(t, fakeapi.Options{Entries: 5})
	c := w.provider(t, args{
		"podstack": args{"exports": list(w.file("*.csv"))},
		"upcloud":  args{"token": fakeapi.DefaultToken, "endpoint": w.upcloud},
	})

	w.write(evil+".csv", "Timestamp,"+strings.ReplaceAll(evil, "\n", " ")+"\nx\n")
	harmless(t, c.read("audit_logs", args{"service": "podstack"}).diags)

	dir := w.file("arch")
	if err := os.MkdirAll(filepath.Join(dir, evil), 0o700); err != nil {
		t.Fatal(err)
	}

	w.write(filepath.Join("arch", evil, evil), "")
	w.write(filepath.Join("arch", "checkpoint"), evil)

	a := c.read("audit_log_verification", args{"destination": dir})
	harmless(t, a.diags)

	if text := fmt.Sprint(a.at("problems")); strings.ContainsAny(text, evil[:1]+"\n\u202e\u2028") {
		t.Errorf("it may stand in the message of a gate: %q", text)
	}

	harmless(t, c.read("audit_logs", args{"service": "archive", "destination": dir}).diags)
	harmless(t, c.apply("audit_log_archive", args{"service": "upcloud", "destination": dir}).diags)
	harmless(t, c.apply("audit_log_export",
		args{"service": "upcloud", "path": filepath.Join(dir, "checkpoint"), "format": "csv"}).diags)
	harmless(t, c.apply("audit_log_export",
		args{"service": "upcloud", "path": filepath.Join(dir, evil, evil, evil), "format": "csv"}).diags)
}

// TestHostileEntriesAreHarmless: whoever may name a thing in the cloud, or log in,
// decides on what entries hold.
func TestHostileEntriesAreHarmless(t *testing.T) {
	t.Parallel()

	const evil = "\x1b[2J\u202e\u009b\nVerdict: OK\u2028"

	text := quotedJSON(evil)

	w := newWorld(t, fakeapi.Options{})
	if err := w.fake.Load(strings.NewReader(fmt.Sprintf(`{"service":"upcloud","record":{"cloud_event_id":"01HQXYZ123456789ABCDEFGHJ1","time":%q,`+
		`"action":%[2]s,"account_username":%[2]s,"resource_type":%[2]s,"resource_uuid":%[2]s,"ip_address":%[2]s,"user_agent":%[2]s}}`+"\n",
		w.now().Add(-60e9).Format("2006-01-02T15:04:05Z"), text))); err != nil {
		t.Skip(err)
	}

	a := w.look(t, "audit_logs", args{"service": "upcloud", "operations": list("delete")})
	harmless(t, a.diags)
	a.warns("The log holds actions that nobody knows", `\u001b[2J`)

	harmless(t, w.look(t, "audit_log_findings", args{
		"service": "upcloud", "rules": args{"own": args{"where": "entry.actor != ''", "group_by": list("actor")}},
		"expected": []any{args{"actors": list("*J*")}},
	}).diags)
	harmless(t, w.look(t, "audit_logs",
		args{"service": "upcloud", "operations": list("delete"), "fail_on_unknown_actions": true}).diags)
}
