// SPDX-License-Identifier: MPL-2.0

// Package redact takes personal data out of entries, and out of what is said of them:
// queries, sources and statements of readings.
package redact

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/auditlogs/terraform-provider-audit/internal/auditlog"
)

// What redaction can do with a field. A field that no rule names is kept, but
// for what follows from the rules of others (see Redactor).
const (
	Keep = "keep"
	Drop = "drop"
	Mask = "mask"
	Hash = "hash"
)

// Modes lists what redaction can do with a field.
func Modes() []string { return []string{Keep, Drop, Mask, Hash} }

// MinKey is how many characters a key must have at least. A key that
// can be guessed gives away every pseudonym made with it, so it should be random.
const MinKey = 16

const (
	// PseudonymPrefix tells a pseudonym from a value of a cloud.
	PseudonymPrefix = auditlog.PseudonymPrefix
	// pseudonymLength keeps 130 bits, far beyond any collision.
	pseudonymLength = 26
	// Masked stands for the part that a mask takes away.
	Masked = auditlog.Masked
	// maskedV4 and maskedV6 are the lengths of the network that a masked address
	// keeps: what a provider gives to one site.
	maskedV4 = 24
	maskedV6 = 48
	// keyIDText has no colon, so it is never the text of a pseudonym.
	keyIDText   = "key-id"
	keyIDLength = 8
)

// Why a rule or a key cannot be used.
var (
	ErrField      = errors.New("an entry has no such field")
	ErrMode       = errors.New("no such way to redact a field")
	ErrStructural = errors.New("the field has to stay")
	ErrNoMask     = errors.New("the field has no masked form")
	ErrNoHash     = errors.New("the field can only be kept or dropped")
	ErrNoKey      = errors.New("hashing needs a key")
	ErrKey        = fmt.Errorf("the key is shorter than %d characters or holds a control character", MinKey)
)

// RuleError says which rule cannot be used, and by its Err, why.
type RuleError struct {
	Field string
	Mode  string
	// Reason completes "the field has to stay, since …"; else it is empty.
	Reason string
	Err    error
}

func (e *RuleError) Error() string {
	text := fmt.Sprintf("redact %s by %s: %v", e.Field, e.Mode, e.Err)
	if e.Reason != "" {
		text += ": " + e.Reason
	}

	return text
}

func (e *RuleError) Unwrap() error { return e.Err }

// structural holds why a field has to stay. These are the fields that no entry
// lacks.
var structural = map[string]string{
	"id":         "it tells entries apart, and without it repetitions could not be found",
	"time":       "entries are ordered by it and windows are proved by it",
	"service":    "it says where the entry comes from",
	"action":     "it is what was done, without which an entry says nothing",
	"operation":  "it is what was done, without which an entry says nothing",
	"actor_type": "it names a kind of actor and nobody in particular",
}

// redactable is a field that is text. A kind is a word for what something is,
// such as "server" or "api", and is not looked for in other fields.
type redactable struct {
	name string
	kind bool
	mask func(string) string
	of   func(*auditlog.Entry) *string
}

var (
	kinds = []string{"endpoint", "resource_type", "scope_type", auditlog.FieldOrigin, "auth_type"}
	masks = map[string]func(string) string{"actor": maskMail, "scope_name": maskMail, auditlog.FieldIPAddress: maskAddress}
)

// redactables lists the fields that are text and need not stay, in the order of the
// entry; message is among them, but goes where the fields go whose values it repeats.
var redactables = func() []redactable {
	var list []redactable

	for _, f := range auditlog.Fields() {
		if _, stays := structural[f.Name]; !stays && f.Kind == auditlog.KindString {
			list = append(list, redactable{name: f.Name, kind: slices.Contains(kinds, f.Name), mask: masks[f.Name], of: f.At})
		}
	}

	return list
}()

// carriers are the fields that repeat what others hold.
var carriers = []string{"message", auditlog.FieldChanges, auditlog.FieldRaw}

// userScope is the scope whose name is a person.
const userScope = "user"

// MaskableFields lists the fields that have a masked form.
func MaskableFields() []string {
	var names []string

	for _, f := range redactables {
		if f.mask != nil {
			names = append(names, f.name)
		}
	}

	return names
}

// CheckRule says whether a field can be redacted that way, whatever the key. The
// error is a *RuleError.
func CheckRule(field, mode string) error {
	fail := func(err error) error { return &RuleError{Field: field, Mode: mode, Err: err} }

	if _, ok := auditlog.FieldByName(field); !ok {
		return fail(ErrField)
	}

	if !slices.Contains(Modes(), mode) {
		return fail(ErrMode)
	}

	if reason, ok := structural[field]; ok && mode != Keep {
		return &RuleError{Field: field, Mode: mode, Reason: reason, Err: ErrStructural}
	}

	f, text := textField(field)

	switch {
	case mode == Hash && !text:
		return fail(ErrNoHash)
	case mode == Mask && f.mask == nil:
		return fail(ErrNoMask)
	default:
		return nil
	}
}

func textField(name string) (redactable, bool) {
	i := slices.IndexFunc(redactables, func(f redactable) bool { return f.name == name })
	if i < 0 {
		return redactable{}, false
	}

	return redactables[i], true
}

// CheckKey says whether pseudonyms can be made with the key. A line
// break at its end, such as file() leaves there, would silently make another key
// of it.
func CheckKey(key []byte) error {
	if utf8.RuneCount(key) < MinKey || strings.ContainsFunc(string(key), unicode.IsControl) {
		return ErrKey
	}

	return nil
}

// Redactor takes personal data out of entries, by rules for fields:
//
//   - keep leaves a field as it is, also where other rules would have it dropped.
//   - drop makes it absent.
//   - mask keeps the network of ip_address (/24, /48) and the domain of an e-mail
//     address in actor and scope_name. An address that cannot be read is dropped;
//     a name that is no e-mail address becomes "***", so that it still shows that
//     the cloud recorded one.
//   - hash makes a pseudonym: "hmac:" and 26 base32 characters of HMAC-SHA256
//     under the key over "FIELD:VALUE". The same value in the same field has the
//     same pseudonym for as long as the key stays, and in another field another
//     one. Addresses are hashed in their canonical spelling, names in NFC.
//
// The same value lives in several fields, so a rule reaches further than its
// field unless the other one has a rule of its own:
//
//   - redacting any field but raw also drops raw, changes and message;
//   - where scope_type is user, scope_name is a person and is treated as actor
//     is. A person has one pseudonym in both;
//   - what was redacted is taken out of the other fields, and out of other entries;
//     see Scrubber.
//   - where service is upcloud, account is the name of a user and is treated as
//     actor is, but for mask, which drops it;
//
// What nothing here can see: a value that is spelled differently or in part
// elsewhere, and the id of an entry where the cloud gives none, which is an
// unkeyed digest over the whole record. Whoever can reconstruct everything else
// of such a record can test guesses of what was redacted against it.
//
// A nil Redactor changes nothing. It is safe for use by several goroutines.
type Redactor struct {
	rules map[string]string
	key   []byte
	// fields is what is done with each of redactables, and person what is done with
	// scope_name instead where it is one.
	fields []*treatment
	person treatment
	// user is what is done with account instead where it is the name of a user.
	user treatment
	// carried says that message, changes and raw are dropped unless named.
	carried bool
	active  bool
	// spreads says that there can be values to take out of other entries.
	spreads bool
}

// treatment is what is done with the values of a field.
type treatment struct {
	redactable

	mode string
	// domain is the field in whose name they are hashed.
	domain string
	// named says that the field has a rule of its own.
	named bool
	// rank orders the treatments: where one value has several, the first counts.
	rank int
}

// spreads says that the values are taken out of other fields, too. A message that
// goes with others is a text of the cloud's around what others hold.
func (t *treatment) spreads() bool {
	return t.mode != Keep && !t.kind && (t.named || t.name != "message")
}

// New returns a redactor for rules from field to mode. The key is used
// for hash alone. The error is a *RuleError, of the first rule by name, or
// ErrKey.
func New(rules map[string]string, key []byte) (*Redactor, error) {
	r := withRules(rules)
	r.key = slices.Clone(key)

	for _, field := range slices.Sorted(maps.Keys(rules)) {
		mode := rules[field]

		if err := CheckRule(field, mode); err != nil {
			return nil, err
		}

		if mode == Hash && len(key) == 0 {
			return nil, &RuleError{Field: field, Mode: mode, Err: ErrNoKey}
		}
	}

	if r.Uses(Hash) {
		if err := CheckKey(key); err != nil {
			return nil, err
		}
	}

	for i, f := range redactables {
		t := r.treatmentOf(f, f.name)
		t.rank = 2*i + 1
		r.fields = append(r.fields, &t)

		if f.name == auditlog.FieldAccount {
			r.user = r.treatmentOf(f, "actor")
			r.user.rank = 2 * i

			// An account has no masked form.
			if r.user.mode == Mask {
				r.user.mode = Drop
			}
		}

		if f.name == "scope_name" {
			r.person = r.treatmentOf(f, "actor")
			r.person.rank = 2 * i
		}
	}

	r.spreads = r.person.spreads() || r.user.spreads() || slices.ContainsFunc(r.fields, (*treatment).spreads)

	return r, nil
}

// withRules returns a redactor that knows what the rules say of each other.
func withRules(rules map[string]string) *Redactor {
	r := &Redactor{rules: maps.Clone(rules)}

	for field, mode := range rules {
		r.active = r.active || mode != Keep
		r.carried = r.carried || mode != Keep && field != auditlog.FieldRaw
	}

	return r
}

func (r *Redactor) treatmentOf(f redactable, domain string) treatment {
	mode, named := r.rules[f.name]
	if !named {
		mode = cmp.Or(r.rules[domain], Keep)
	}

	if !named && f.name == "message" && r.carried {
		mode = Drop
	}

	return treatment{redactable: f, mode: mode, domain: domain, named: named}
}

// Uses says whether a rule has that mode.
func (r *Redactor) Uses(mode string) bool {
	return slices.Contains(slices.Collect(maps.Values(r.rules)), mode)
}

// Active says whether anything is redacted at all.
func (r *Redactor) Active() bool { return r != nil && r.active }

// Apply redacts an entry that stands alone, and does not change the one that it is
// given. Entries of one reading are for a Scrubber.
func (r *Redactor) Apply(e auditlog.Entry) auditlog.Entry {
	s := r.Scrubber()
	s.learn(&e)

	return s.Apply(e)
}

// treatment returns what is done with the entry's field of that index.
func (r *Redactor) treatment(i int, e *auditlog.Entry) *treatment {
	if e.ScopeType == userScope && r.fields[i].name == r.person.name {
		return &r.person
	}

	if e.Service == auditlog.ServiceUpCloud && r.fields[i].name == r.user.name {
		return &r.user
	}

	return r.fields[i]
}

func (r *Redactor) dropsCarrier(name string) bool {
	if mode, ok := r.rules[name]; ok {
		return mode != Keep
	}

	return r.carried
}

// form returns what takes the place of a value.
func (r *Redactor) form(t *treatment, value string) string {
	switch t.mode {
	case Mask:
		return t.mask(value)
	case Hash:
		return r.pseudonym(t.domain, value)
	default:
		return ""
	}
}

func (r *Redactor) pseudonym(domain, value string) string {
	if a, ok := auditlog.AddressOf(value); ok && domain == auditlog.FieldIPAddress {
		value = a.String()
	}

	return PseudonymPrefix + base32.StdEncoding.EncodeToString(
		r.mac(domain + ":" + auditlog.Normal(value)),
	)[:pseudonymLength]
}

func (r *Redactor) mac(text string) []byte {
	h := hmac.New(sha256.New, r.key)
	h.Write([]byte(text))

	return h.Sum(nil)
}

// KeyID returns what tells two keys apart: the first eight hexadecimal
// characters of an HMAC over a constant, or "" where nothing is hashed. It lets a
// reader see whether the pseudonyms of two files can be compared. Of a random key
// it says nothing; a key that can be guessed it would let be tested, as every
// pseudonym of a guessable value does already.
func (r *Redactor) KeyID() string {
	if !r.Active() || !r.Uses(Hash) {
		return ""
	}

	return hex.EncodeToString(r.mac(keyIDText))[:keyIDLength]
}

// Different lists the arguments by which a redaction is another one than the one that
// a manifest tells of.
func (r *Redactor) Different(there *Statement) []string {
	var rules map[string]string
	if r.Active() {
		rules = r.rules
	}

	var names []string
	if !SameRules(rules, there.Written()) {
		names = append(names, "redact")
	}

	if r.KeyID() != Kept(auditlog.Source{}, there).KeyID {
		names = append(names, "redaction_key")
	}

	return names
}

// Written are the rules that were written down, nil where there are none.
func (r *Statement) Written() map[string]string {
	if r == nil {
		return nil
	}

	rules := map[string]string{}

	for _, rule := range r.Rules {
		if !rule.Implied {
			rules[rule.Field] = rule.Mode
		}
	}

	return rules
}

// Statement is what manifests say of a redaction: what was done, never the key.
type Statement struct {
	// Rules lists every field that was not left alone, in the order of the entry.
	Rules []Rule `json:"rules"`
	// KeyID is nil where nothing was hashed.
	KeyID *string `json:"key_id"`
}

// Rule is what was done with one field.
type Rule struct {
	Field string `json:"field"`
	Mode  string `json:"mode"`
	// Implied says that the rule follows from others and was not written down.
	Implied bool `json:"implied"`
	// Where limits the rule to some entries, in the form "field=value".
	Where string `json:"where,omitempty"`
}

// Rules returns the rules in canonical form: in the order of the entry's fields,
// those that follow from others included.
func (r *Redactor) Rules() []Rule {
	if r == nil {
		return nil
	}

	var rules []Rule

	for _, f := range auditlog.Fields() {
		mode, named := r.rules[f.Name]

		switch {
		case named:
			rules = append(rules, Rule{Field: f.Name, Mode: mode})
		case f.Name == "scope_name" && cmp.Or(r.rules["actor"], Keep) != Keep:
			rules = append(rules, Rule{Field: f.Name, Mode: r.rules["actor"], Implied: true, Where: "scope_type=" + userScope})
		case r.carried && slices.Contains(carriers, f.Name):
			rules = append(rules, Rule{Field: f.Name, Mode: Drop, Implied: true})
		}
	}

	return rules
}

// SameRules says whether two sets of rules do the same to every entry. What follows
// from others may be written down or not.
func SameRules(a, b map[string]string) bool {
	return slices.Equal(effective(a), effective(b))
}

// effective lists what is done to fields. To keep one says something only where others
// are redacted: it then may hold what was taken out of these.
func effective(rules map[string]string) []Rule {
	r := withRules(rules)
	if !r.active {
		return nil
	}

	all := r.Rules()
	for i := range all {
		all[i].Implied = false
	}

	return all
}

// Statement returns what a manifest says, nil when nothing is redacted.
func (r *Redactor) Statement() *Statement {
	if !r.Active() {
		return nil
	}

	s := &Statement{Rules: r.Rules()}
	if id := r.KeyID(); id != "" {
		s.KeyID = &id
	}

	return s
}

func maskAddress(text string) string {
	a, ok := auditlog.AddressOf(text)
	if !ok {
		return ""
	}

	bits := maskedV6
	if a.Is4() {
		bits = maskedV4
	}

	p, err := a.Prefix(bits)
	if err != nil {
		return ""
	}

	return p.String()
}

func maskMail(text string) string {
	if domain, ok := MailDomain(text); ok {
		return Masked + "@" + domain
	}

	return Masked
}

// MailDomain returns the domain of a text that is one e-mail address and nothing
// else.
func MailDomain(text string) (string, bool) {
	local, domain, found := strings.Cut(text, "@")
	if !found || local == "" || strings.ContainsFunc(local, func(r rune) bool { return r <= ' ' || r == '<' || r == '"' }) {
		return "", false
	}

	labels := strings.Split(domain, ".")
	if len(labels) < 2 {
		return "", false
	}

	for _, label := range labels {
		if label == "" ||
			strings.ContainsFunc(label, func(r rune) bool { return r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			return "", false
		}
	}

	return domain, true
}
