// SPDX-License-Identifier: MPL-2.0

// Package gate makes a verdict of rules one that a run can be stopped by: it reads rules
// from a file, says which exit code a verdict is, writes it in the forms that CI systems
// read, and remembers until where the log has been checked.
package gate

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/auditlogs/terraform-provider-audit/internal/exactjson"
	"github.com/auditlogs/terraform-provider-audit/internal/explain"
	"github.com/auditlogs/terraform-provider-audit/internal/finding"
	"github.com/auditlogs/terraform-provider-audit/internal/query"
	"github.com/auditlogs/terraform-provider-audit/internal/where"
)

// MaxFile is how many bytes a file of rules may have.
const MaxFile = 1 << 20

// Rules are what the arguments of audit_log_findings are in Terraform, by the same names.
// What is not given is nil.
type Rules struct {
	Builtins           *[]string       `json:"builtin_rules"         yaml:"builtin_rules"`
	Rules              map[string]Rule `json:"rules"                 yaml:"rules"`
	Expected           []Expectation   `json:"expected"              yaml:"expected"`
	Baseline           *string         `json:"baseline"              yaml:"baseline"`
	MaxFindings        *int64          `json:"max_findings"          yaml:"max_findings"`
	FailOnNotEvaluable *bool           `json:"fail_on_not_evaluable" yaml:"fail_on_not_evaluable"`

	// file is what they were read from, nil where there is no file.
	file *ast.File
	name string
}

// Rule is a rule of a user's own.
type Rule struct {
	Where     *string  `json:"where"     yaml:"where"`
	Severity  *string  `json:"severity"  yaml:"severity"`
	Threshold *int64   `json:"threshold" yaml:"threshold"`
	Within    *string  `json:"within"    yaml:"within"`
	GroupBy   []string `json:"group_by"  yaml:"group_by"`
	Message   *string  `json:"message"   yaml:"message"`
}

// Expectation is what is supposed to happen.
type Expectation struct {
	Rules         []string `json:"rules"          yaml:"rules"`
	Actors        []string `json:"actors"         yaml:"actors"`
	ResourceTypes []string `json:"resource_types" yaml:"resource_types"`
	ResourceNames []string `json:"resource_names" yaml:"resource_names"`
}

// checkRules is what is being done with a file.
const checkRules = "Check the rules"

// Read reads a file of rules in YAML, of which JSON is a part. The name is for errors. A
// key that nobody knows is an error, and so are a value of another kind, a key that is
// there twice, and a second document.
func Read(name string, text []byte) (*Rules, explain.Problems) {
	r := &Rules{name: name}

	var err error
	if r.file, err = parser.ParseBytes(text, 0); err != nil {
		return nil, explain.Problems{r.yamlProblem(err)}
	}

	bodies := 0

	for _, doc := range r.file.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.NullType && doc.Body.Type() != ast.CommentType {
			bodies++
		}
	}

	switch {
	case bodies == 0:
		return nil, explain.Problems{r.problem(nil, "The file holds no rules.")}
	case bodies > 1 || len(r.file.Docs) > 1:
		at := r.file.Docs[1].GetToken()

		return nil, explain.Problems{r.problem(at, "The file holds more than one YAML document, and only one could count.")}
	}

	for _, node := range []ast.NodeType{ast.AnchorType, ast.AliasType, ast.MergeKeyType} {
		if found := ast.Filter(node, r.file.Docs[0].Body); len(found) > 0 {
			return nil, explain.Problems{r.problem(found[0].GetToken(), "Anchors, aliases and merge keys are not read.")}
		}
	}

	v := &kindVisitor{}
	if v.look(r.file.Docs[0].Body); v.wrong != nil {
		return nil, explain.Problems{r.problem(v.wrong, otherKind)}
	}

	if err := yaml.NodeToValue(r.file.Docs[0].Body, r, yaml.Strict()); err != nil {
		return nil, explain.Problems{r.yamlProblem(err)}
	}

	return r, nil
}

// problem says what is wrong at a place of the file, nil where there is no place.
func (r *Rules) problem(at *token.Token, cause explain.Text) explain.Problem {
	p := explain.Problem{Summary: checkRules, Cause: cause, Next: "Change the file."}.With("File", r.name)

	return r.at(p, at)
}

// at adds the place to a problem.
func (r *Rules) at(p explain.Problem, at *token.Token) explain.Problem {
	if at == nil || at.Position == nil {
		return p
	}

	return p.With("Line", strconv.Itoa(at.Position.Line)).With("Column", strconv.Itoa(at.Position.Column))
}

// yamlProblem says what the library does not accept.
func (r *Rules) yamlProblem(err error) explain.Problem {
	var (
		located yaml.Error
		kind    *yaml.TypeError
		node    *yaml.UnexpectedNodeTypeError
		unknown *yaml.UnknownFieldError
		at      *token.Token
	)

	if errors.As(err, &located) {
		at = located.GetToken()
	}

	switch {
	case errors.As(err, &unknown):
		return r.problem(at, explain.Textf("The key %s is not known here.", explain.Shown(tokenText(at))))
	case errors.As(err, &kind), errors.As(err, &node):
		return r.problem(at, otherKind)
	case located != nil:
		return r.problem(at, "This is no YAML that can be read: "+explain.Plain(located.GetMessage())+".")
	default:
		return r.problem(at, "This is no YAML that can be read.")
	}
}

const otherKind = "The value is of another kind than it has to be; a text that looks like a number needs quotes."

// kinds are those of scalars that are no texts, by key.
func kinds() map[string]ast.NodeType {
	return map[string]ast.NodeType{
		"max_findings": ast.IntegerType, "threshold": ast.IntegerType, "fail_on_not_evaluable": ast.BoolType,
	}
}

// kindVisitor finds the first scalar of another kind than it has to be. The library would make a
// whole number of 1.5, and a text of 007.
type kindVisitor struct {
	want  ast.NodeType
	wrong *token.Token
}

func (v *kindVisitor) look(node ast.Node) {
	if node == nil || v.wrong != nil {
		return
	}

	switch node := node.(type) {
	case *ast.MappingNode:
		for _, value := range node.Values {
			v.look(value)
		}
	case *ast.MappingValueNode:
		inner := &kindVisitor{want: kinds()[node.Key.GetToken().Value]}
		if inner.look(node.Value); inner.wrong != nil {
			v.wrong = inner.wrong
		}
	case *ast.SequenceNode:
		for _, value := range node.Values {
			v.look(value)
		}
	case *ast.NullNode:
	default:
		isText := node.Type() == ast.StringType || node.Type() == ast.LiteralType
		if isText != (v.want == ast.UnknownNodeType) || !isText && node.Type() != v.want {
			v.wrong = node.GetToken()
		}
	}
}

func tokenText(at *token.Token) string {
	if at == nil {
		return ""
	}

	return at.Value
}

// find returns where a part of the file is: keys are strings, and indexes of elements
// ints. Where it is not there, its parent is.
func (r *Rules) find(path ...any) *token.Token {
	for ; r.file != nil && len(path) > 0; path = path[:len(path)-1] {
		b := (&yaml.PathBuilder{}).Root()

		for _, part := range path {
			switch part := part.(type) {
			case int:
				b = b.Index(uint(max(part, 0)))
			case string:
				b = b.Child(part)
			}
		}

		if node, err := b.Build().FilterFile(r.file); err == nil && node != nil {
			return node.GetToken()
		}
	}

	return nil
}

// Named says that the built-in rules to apply were named.
func (r *Rules) Named() bool { return r.Builtins != nil }

// Digest is a SHA-256 of the rules and of whatever else decides what is found.
func (r *Rules) Digest(others ...any) (string, error) {
	h := sha256.New()

	for _, part := range append([]any{r}, others...) {
		text, err := exactjson.Marshal(part, "")
		if err != nil {
			return "", fmt.Errorf("make a digest of the rules: %w", err)
		}

		_, _ = h.Write(append(text, 0))
	}

	return hex.EncodeToString(h.Sum(nil)), nil
}

// Options are the rules as an evaluation takes them, with what is wrong with them.
func (r *Rules) Options() (finding.Options, explain.Problems) {
	var found explain.Problems

	o := finding.Options{Builtins: finding.BuiltinNames(), ByDefault: r.Builtins == nil}
	if r.Builtins != nil {
		o.Builtins = *r.Builtins
	}

	if r.Baseline != nil {
		found.Add(r.value(query.PositiveSpanForm(), *r.Baseline, "baseline")...)
		o.Baseline = query.ParseSpan(*r.Baseline)
	}

	if n := r.MaxFindings; n != nil {
		if *n < 1 || *n > LargestMaxFindings {
			found.Add(r.at(explain.Problem{
				Summary: checkRules, Cause: "The value of max_findings is out of range.",
				Next: explain.Text(fmt.Sprintf("Give a number from 1 to %d.", LargestMaxFindings)),
			}.With("File", r.name), r.find("max_findings")))
		}

		o.MaxFindings = int(min(*n, LargestMaxFindings))
	}

	for _, name := range slices.Sorted(maps.Keys(r.Rules)) {
		rule, wrong := r.rule(name, r.Rules[name])
		found.Add(wrong...)

		o.Rules = append(o.Rules, rule)
	}

	for _, e := range r.Expected {
		o.Expected = append(o.Expected, finding.Expectation(e))
	}

	if !found.HasError() {
		for _, mistake := range o.Check() {
			found.Add(r.Mistake(mistake))
		}
	}

	return o, found
}

// LargestMaxFindings is how many findings are listed at most.
const LargestMaxFindings = 10_000

// value holds a value against its form.
func (r *Rules) value(form explain.Form, value string, path ...any) explain.Problems {
	p, wrong := form.Problem(fmt.Sprint(path[len(path)-1]), value)
	if !wrong {
		return nil
	}

	return explain.Problems{r.at(p.With("File", r.name), r.find(path...))}
}

func (r *Rules) rule(name string, given Rule) (finding.Rule, explain.Problems) {
	var found explain.Problems

	rule := finding.Rule{
		Name: name, Severity: finding.SeverityMedium, Threshold: 1, GroupBy: given.GroupBy,
	}

	if given.Where == nil {
		found.Add(r.problem(r.find("rules", name), explain.Textf("The rule %s has no condition: where is required.",
			explain.Shown(name))))
	} else {
		condition, err := where.Compile(*given.Where)
		if err != nil {
			found.Add(r.at(explain.Condition(err).With("File", r.name).With("Rule", name), r.find("rules", name, "where")))
		}

		rule.Condition = condition
	}

	if given.Severity != nil {
		rule.Severity = finding.Severity(*given.Severity)
	}

	if given.Threshold != nil {
		rule.Threshold = *given.Threshold
	}

	if given.Within != nil {
		found.Add(r.value(query.PositiveSpanForm(), *given.Within, "rules", name, "within")...)
		within := query.ParseSpan(*given.Within)
		rule.Within = &within
	}

	if given.Message != nil {
		found.Add(r.value(query.NotEmpty(), *given.Message, "rules", name, "message")...)
		rule.Message = *given.Message
	}

	return rule, found
}

// Mistake says where in the file something is that cannot be meant.
func (r *Rules) Mistake(m *finding.OptionError) explain.Problem {
	path := []any{m.Field}

	switch {
	case m.Rule != "":
		path = []any{"rules", m.Rule, m.Field}
	case m.Expectation >= 0:
		path = []any{"expected", m.Expectation, m.Field}
	}

	if m.Index >= 0 {
		path = append(path, m.Index)
	}

	return r.at(explain.Mistake(m).With("File", r.name), r.find(path...))
}

// Locate adds the place in the file to problems that an evaluation has found.
func (r *Rules) Locate(found explain.Problems) explain.Problems {
	if r.file == nil {
		return found
	}

	located := slices.Clone(found)

	for i := range located {
		if path := pathOf(located[i].Place); len(path) > 0 {
			located[i] = r.at(located[i].With("File", r.name), r.find(path...))
		}
	}

	return located
}

// pathOf is where in a file an argument is, nil where it is none of a file.
func pathOf(place explain.Place) []any {
	if len(place) == 0 {
		return nil
	}

	if name, ok := place[0].(string); !ok || !slices.Contains(fileKeys(), name) {
		return nil
	}

	path := make([]any, len(place))

	for i, part := range place {
		if key, ok := part.(explain.Key); ok {
			part = string(key)
		}

		path[i] = part
	}

	return path
}

// fileKeys are the keys of a file.
func fileKeys() []string {
	return strings.Fields("builtin_rules rules expected baseline max_findings fail_on_not_evaluable")
}
