// SPDX-License-Identifier: MPL-2.0

package screen_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/auditlogs/terraform-provider-audit/internal/raceflag"
	"github.com/auditlogs/terraform-provider-audit/internal/screen"
)

func TestTextEscapesWhatAScreenObeysOrHides(t *testing.T) {
	t.Parallel()

	for in, want := range map[string]string{
		"plain, with “quotes”, é and 日本": "plain, with “quotes”, é and 日本",
		"a\x1b[2Jb":                        `a\u001b[2Jb`,
		"a\u009b2Jb":                       `a\u009b2Jb`,
		"a\x00\a\b\x7fb":                   `a\u0000\u0007\u0008\u007fb`,
		"one\ntwo\r\nthree\tfour":          `one\ntwo\r\nthree\tfour`,
		"Verdict\u2028OK\u2029\u0085":      `Verdict\u2028OK\u2029\u0085`,
		"x\u202egnp.exe\u202c":             `x\u202egnp.exe\u202c`,
		"\u2066a\u2067b\u2068c\u2069":      `\u2066a\u2067b\u2068c\u2069`,
		"\u200e\u200f\u061c":               `\u200e\u200f\u061c`,
		"adm\u200bin\u200c\u200d\ufeff":    `adm\u200bin\u200c\u200d\ufeff`,
		"soft\u00adhyphen \u2060joiner":    `soft\u00adhyphen \u2060joiner`,
		"filler\u3164\u115f\uffa0\u034f":   `filler\u3164\u115f\uffa0\u034f`,
		"selector\ufe0f":                   `selector\ufe0f`,
		"tag\U000e0041":                    `tag\udb40\udc41`,
		"broken \xff\xc3(":                 `broken \xff\xc3(`,
		"replaced \ufffd":                  "replaced \ufffd",
		"private \ue000, undefined \u0378": `private \ue000, undefined \u0378`,
	} {
		if got := screen.Text(in); got != want {
			t.Errorf("Text(%q) = %s, want %s", in, got, want)
		}
	}

	if got, want := screen.Lines("a:\n\tb\r\x1b[2J\u202e"), "a:\n\tb\\r\\u001b[2J\\u202e"; got != want {
		t.Errorf("Lines: %q, want %q", got, want)
	}
}

func TestTextsAreSafeAndStayWhatTheyAre(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(),
			rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text")

		one, lines := screen.Text(text), screen.Lines(text)
		for name, got := range map[string]string{
			"Text":  one,
			"Lines": strings.NewReplacer("\n", "", "\t", "").Replace(lines),
		} {
			if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsGraphic(r) }) {
				t.Fatalf("%s(%q) = %q", name, text, got)
			}
		}

		if again := screen.Text(one); again != one {
			t.Fatalf("Text(%q) = %q", one, again)
		}

		if again := screen.Lines(lines); again != lines || screen.Lines(one) != one {
			t.Fatalf("Lines(%q) = %q", lines, again)
		}
	})
}

func TestLinesKeepWhatJSONSays(t *testing.T) {
	t.Parallel()

	want := map[string]string{"a": "\x1b[2J\u202e\u2028\u009b\x7f\U000e0041\\u001b\n\t\"é"}

	text, err := json.MarshalIndent(want, "", "  ")
	if err != nil {
		t.Fatal(err)
	}

	var got map[string]string
	if err := json.Unmarshal([]byte(screen.Lines(string(text))), &got); err != nil || got["a"] != want["a"] {
		t.Errorf("%v, %q", err, got)
	}
}

// withMore are the encodings below that have more in them than the secret, or end in what is
// none of it.
var withMore = []string{
	"base64 of a header", "base64 of a pair", "base64 of a longer pair", "base64 of JSON", "base64, folded",
	"base64 twice", "base64 behind a word",
	"hex, upper case", "hex with spaces", "UTF-16", "base64, query",
}

// encodings are how a secret may come back.
var encodings = map[string]func(string) string{
	"plain":         func(s string) string { return s },
	"lower case":    strings.ToLower,
	"upper case":    strings.ToUpper,
	"query":         url.QueryEscape,
	"path":          url.PathEscape,
	"every byte":    func(s string) string { return percent(s, "%%%02X") },
	"twice":         func(s string) string { return percent(s, "%%25%02x") },
	"Go":            func(s string) string { return fmt.Sprintf("%q", s) },
	"Go ASCII":      func(s string) string { return fmt.Sprintf("%+q", s) },
	"JSON":          quotedJSON,
	"JSON slashes":  func(s string) string { return strings.ReplaceAll(s, "/", `\/`) },
	"HTML":          html.EscapeString,
	"base64":        func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64 URL":    func(s string) string { return base64.URLEncoding.EncodeToString([]byte(s)) },
	"base64, query": func(s string) string { return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(s))) },
	"half escaped":  func(s string) string { return percent(s[:3], "%%%02x") + s[3:] },

	"base64 of a header":      func(s string) string { return base64.StdEncoding.EncodeToString([]byte("Bearer " + s)) },
	"base64 of a pair":        func(s string) string { return base64.StdEncoding.EncodeToString([]byte(":" + s)) },
	"base64 of a longer pair": func(s string) string { return base64.URLEncoding.EncodeToString([]byte("me:" + s + "\n")) },
	"base64 of JSON": func(s string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(`{"token":` + quotedJSON(s) + `}`))
	},
	"base64, folded": func(s string) string { return folded(base64.StdEncoding.EncodeToString([]byte("Bearer "+s)), 8) },
	"base64 twice": func(s string) string {
		return base64.StdEncoding.EncodeToString([]byte("x" + base64.StdEncoding.EncodeToString([]byte("Bearer "+s))))
	},
	"base64 behind a word": func(s string) string { return "x" + base64.StdEncoding.EncodeToString([]byte(s)) },
	"hex":                  func(s string) string { return hex.EncodeToString([]byte(s)) },
	"hex, upper case":      func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte("Bearer " + s))) },
	"hex with colons":      func(s string) string { return strings.TrimSuffix(percent(s, "%02x:"), ":") },
	"hex with spaces":      func(s string) string { return percent(s, "%02X ") },
	"hex of C":             func(s string) string { return percent(s, `\x%02x`) },
	"octal":                func(s string) string { return percent(s, `\%03o`) },
	"braces": func(s string) string {
		var b strings.Builder
		for _, r := range strings.ToValidUTF8(s, "\ufffd") {
			fmt.Fprintf(&b, `\u{%x}`, r)
		}

		return b.String()
	},
	"quoted-printable": func(s string) string { return percent(s, "=%02X") },
	"soft line breaks": func(s string) string { return s[:4] + "=\r\n" + s[4:] },
	"a space":          func(s string) string { return s[:4] + " " + s[4:] },
	"a line break":     func(s string) string { return s[:5] + "\r\n" + s[5:] },
	"a zero byte":      func(s string) string { return s[:5] + "\x00" + s[5:] },
	"UTF-16":           func(s string) string { return strings.Join(strings.Split(s, ""), "\x00") + "\x00" },
	"no width":         func(s string) string { return s[:5] + "\u200b" + s[5:7] + "\u00ad" + s[7:] },
	"colours":          func(s string) string { return s[:5] + "\x1b[31m" + s[5:8] + "\x1b[0m" + s[8:] },
	"an escape":        func(s string) string { return s[:5] + "\x1b" + s[5:] },
	"full width":       fullWidth,
	"backwards":        backwards,
}

func folded(text string, width int) string {
	var b strings.Builder
	for i, c := range text {
		if i > 0 && i%width == 0 {
			b.WriteString("\r\n")
		}

		b.WriteRune(c)
	}

	return b.String()
}

func fullWidth(text string) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f {
			return r - '!' + 0xff01
		}

		return r
	}, text)
}

func backwards(text string) string {
	runes := []rune(text)
	slices.Reverse(runes)

	return string(runes)
}

func quotedJSON(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // A string can be encoded.
	}

	return string(text)
}

func percent(s, format string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, format, c)
	}

	return b.String()
}

func TestSecretsAreRemovedInEveryEncoding(t *testing.T) {
	t.Parallel()

	if raceflag.Enabled {
		t.Skip("the race detector makes it take minutes; make simulate runs this")
	}

	for _, secret := range []string{
		"ucat_01HVQZ3S8K4", "tok\xffen\\(+", `p/a+s=s&w"o<r>d\ü 'x`, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
		strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyz-", 100) + "ü", "PRIVATE+KEY+example.com/audit+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
	} {
		screen.Secret(secret)

		for name, encode := range encodings {
			// Quotation marks stay; what matters is what is between them.
			encoded := strings.Trim(encode(secret), `"`)

			for _, text := range []string{encoded, "malformed header: " + encoded, "x" + encoded + "y", "GET /v1/" + encoded +
				"?a"} {
				got, want := screen.Text(text), strings.ReplaceAll(text, encoded, screen.Removed)

				// What stands around the secret in the same encoding may stay.
				left := strings.Replace(got, screen.Removed, "", 1)
				whole := slices.Contains(withMore, name) || got == want

				if !whole || left == got || len(left) > len(text)-len(encoded)+24 || screen.Text(got) != got {
					t.Errorf("%s, %q: %s", name, text, got)
				}
			}
		}
	}
}

func TestLoginsAreRemovedAndNamesStay(t *testing.T) {
	t.Parallel()
	screen.Login("login-user", "login-password")

	pair := base64.StdEncoding.EncodeToString([]byte("login-user:login-password"))
	if got := screen.Text("Authorization: Basic " + pair +
		" of login-user with login-password"); got != "Authorization: Basic (secret) of login-user with (secret)" {
		t.Error(got)
	}

	screen.Login("user-without-password", "")

	if got := screen.Text("user-without-password:"); got != "user-without-password:" {
		t.Error(got)
	}
}

// A short secret would make holes into every other word, by which it could be read.
func TestShortSecretsAreRemovedWhereTheyStandAlone(t *testing.T) {
	t.Parallel()
	screen.Secret("zq7777", "  zq8888\n", "", "       ", "zq999")

	for in, want := range map[string]string{
		"zq7777 zq7777,zq7777": "(secret) (secret),(secret)", "Bearer zq7777": "Bearer (secret)",
		"x%7a%717777": "x%7a%717777", "%7a%717777": "(secret)",
		"xzq7777x": "xzq7777x", "A_zq7777_X": "A_zq7777_X", "ZQ7777": "ZQ7777", "zq8888": "(secret)", "a     b": "a     b",
		"zq999": "zq999",
	} {
		if got := screen.Text(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// What stands in place of a secret is not looked at again.
func TestASecretMayBeCalledSecret(t *testing.T) {
	t.Parallel()
	screen.Secret("secretive", "(secretive)")

	if got := screen.Text(screen.Text("it is secretive")); got != "it is (secret)" {
		t.Error(got)
	}
}

func TestUserinfoIsRemoved(t *testing.T) {
	t.Parallel()

	for in, want := range map[string]string{
		"https://user:SECRET@example.com/path":               "https://(secret)@example.com/path",
		"https://user@example.com":                           "https://(secret)@example.com",
		"https://user:p@ss:w@rd@example.com":                 "https://(secret)@example.com",
		"s3://KEY:SEC/RET+x@bucket/prefix":                   "s3://(secret)@bucket/prefix",
		`parse "https://user:SEC RET@example.com": bad`:      `parse "https://(secret)@example.com": bad`,
		`dial "//user:SECRET@example.com"`:                   `dial "//(secret)@example.com"`,
		"s3://bucket/p?endpoint=https://u:SECRET@host&x=y":   "s3://bucket/p?endpoint=https://(secret)@host&x=y",
		"https://a:SECRET@one and https://b:SECRET@two":      "https://(secret)@one and https://(secret)@two",
		"https://example.com:8080/path":                      "https://example.com:8080/path",
		"https://example.com/users/alice@example.com":        "https://example.com/users/alice@example.com",
		"at https://example.com:8080 for alice@example.com":  "at https://example.com:8080 for alice@example.com",
		"https://[::1]:8080/x for alice@example.com":         "https://[::1]:8080/x for alice@example.com",
		"https://@example.com, // a comment, and a@b":        "https://@example.com, // a comment, and a@b",
		"s3://bucket/prefix?endpoint=https://h:9000&region=": "s3://bucket/prefix?endpoint=https://h:9000&region=",
	} {
		if got := screen.Text(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}

		if got := screen.Text(want); got != want {
			t.Errorf("%s: %s the second time", want, got)
		}
	}
}

func TestWriterScreens(t *testing.T) {
	t.Parallel()
	screen.Secret("written-secret")

	var b bytes.Buffer

	n, err := fmt.Fprintf(screen.Writer(&b), "a\x1b[2J written-secret\n")
	if err != nil || n != len("a\x1b[2J written-secret\n") || b.String() != "a\\u001b[2J (secret)\n" {
		t.Errorf("%d, %v, %q", n, err, b.String())
	}
}

// TestSecretsAreRemovedInMixedEncodings: each character in a way of its own, and all of
// it encoded once more.
func TestSecretsAreRemovedInMixedEncodings(t *testing.T) {
	t.Parallel()

	spellings := []func(rune) string{
		func(r rune) string { return string(r) },
		func(r rune) string { return percent(string(r), "%%%02x") },
		func(r rune) string { return fmt.Sprintf(`\u%04x`, r) },
		func(r rune) string { return fmt.Sprintf(`\U%08X`, r) },
		func(r rune) string { return fmt.Sprintf("&#%d;", r) },
		func(r rune) string { return fmt.Sprintf("&#x%X;", r) },
	}

	around := []func(string) string{
		func(s string) string { return s }, url.QueryEscape, html.EscapeString,
		func(s string) string { return fmt.Sprintf("%q", s) },
	}

	rapid.Check(t, func(t *rapid.T) {
		secret := "mixed-" + rapid.StringMatching(`[A-Za-z0-9+/=~ü-]{3,20}`).Draw(t, "secret")
		screen.Secret(secret)

		var spelled strings.Builder
		for _, r := range secret {
			spelled.WriteString(rapid.SampledFrom(spellings).Draw(t, "spelling")(r))
		}

		text := "before " + rapid.SampledFrom(around).Draw(t, "around")(spelled.String()) + " after"
		if got := strings.ReplaceAll(screen.Text(text), `"`, ""); got != "before (secret) after" {
			t.Fatalf("%s in %s is shown as %s", secret, text, got)
		}
	})
}

func TestProxyPasswordsAreRemoved(t *testing.T) { //nolint:paralleltest // It sets the environment.
	for name, address := range map[string]string{
		"HTTP_PROXY":  "http://puser:ProxyPwOne%2F1@127.0.0.1:1",
		"http_proxy":  "puser:ProxyPwTwo22@proxy.example",
		"HTTPS_PROXY": "http://puser:Proxy/PwThree3@127.0.0.1:1",
		"https_proxy": "https://ProxyTokenFour4@proxy.example/",
		"ALL_PROXY":   "socks5://puser:ProxyPwFive5@127.0.0.1:1",
		"all_proxy":   "socks5h://puser:ProxyPwSix66@127.0.0.1:1",
	} {
		t.Setenv(name, address)
	}

	screen.Proxies()

	for _, secret := range []string{
		"ProxyPwOne/1", "ProxyPwOne%2F1", "ProxyPwTwo22", "Proxy/PwThree3", "ProxyTokenFour4",
		"ProxyPwFive5", "ProxyPwSix66",
	} {
		for _, echo := range []string{"no " + secret, base64.StdEncoding.EncodeToString([]byte("puser:" + secret))} {
			if got := screen.Text(echo); strings.Contains(got, secret) || !strings.Contains(got, screen.Removed) {
				t.Errorf("%s: %s", echo, got)
			}
		}
	}

	if got := screen.Text("puser at proxy.example"); got != "puser at proxy.example" {
		t.Error(got)
	}
}

// BenchmarkTextOfAMegabyte is of a text that holds nothing, with three secrets held.
func BenchmarkTextOfAMegabyte(b *testing.B) {
	screen.Secret("benchmark-secret-1", "benchmark-secret-2", "benchmark-secret-3")

	var body strings.Builder
	for i := 0; body.Len() < 1<<20; i++ {
		fmt.Fprintf(&body, `{"id":"%032x","actor":"user-%d","message":"Server 'web-%d' has been created","url":"https://api.example.com/v1/%d?a=b%%20c"},`+"\n", i*7919, i, i, i)
	}

	for name, text := range map[string]string{
		"JSON":   body.String(),
		"base64": base64.StdEncoding.EncodeToString([]byte(body.String())),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				screen.Lines(text)
			}
		})
	}
}
