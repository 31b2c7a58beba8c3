// SPDX-License-Identifier: MPL-2.0

// Package gates_test runs every gate in this directory with the real provider and
// holds its exit codes against the table in README.md.
package gates_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/auditlogs/terraform-provider-audit/internal/fakeapi"
)

// The logs that the table tells apart.
const (
	unexpected = "an unexpected deletion"
	clean      = "nothing unexpected"
	unreadable = "cannot be read"
)

// culprit is who deleted something, from where; neither may show where a recipe
// says that nothing is stored.
const (
	culprit = "mallory.example"
	address = "198.51.100.66"
)

// tools are the commands to run: what the acceptance tests run with, and OpenTofu
// where it is installed.
func tools(t *testing.T) []string {
	t.Helper()

	if os.Getenv("TF_ACC") == "" {
		t.Skip("gates run with TF_ACC=1")
	}

	found := []string{}

	for _, name := range []string{os.Getenv("TF_ACC_TERRAFORM_PATH"), "terraform", "tofu"} {
		path, err := exec.LookPath(name)
		if err != nil || (name == "terraform" && len(found) > 0) || slices.Contains(found, path) {
			continue
		}

		found = append(found, path)
	}

	if len(found) == 0 {
		t.Fatal("neither terraform nor tofu is on PATH")
	}

	return found
}

func executable(name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}

	return name
}

// provider is the built provider, as two CLI configurations use it.
type provider struct {
	// direct takes it where it lies; nothing has to be initialised.
	direct string
	// mirrored lets `terraform init` find it, as it would in the registry.
	mirrored string
}

// built builds the provider once.
var built = sync.OnceValues(func() (provider, error) {
	const version = "0.1.0" // What the recipes ask for at least.

	dir, err := os.MkdirTemp("", "gates")
	if err != nil {
		return provider{}, err
	}

	file := filepath.Join(dir, executable("terraform-provider-audit_v"+version))
	build := exec.Command("go", "build", "-o", file, ".")
	build.Dir = "../.."

	if out, err := build.CombinedOutput(); err != nil {
		return provider{}, fmt.Errorf("%w: %s", err, out)
	}

	for _, host := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		at := filepath.Join(dir, host, "auditlogs", "audit", version, runtime.GOOS+"_"+runtime.GOARCH)
		if err := os.MkdirAll(at, 0o700); err != nil {
			return provider{}, err
		}

		if err := os.Link(file, filepath.Join(at, filepath.Base(file))); err != nil {
			return provider{}, err
		}
	}

	p := provider{filepath.Join(dir, "direct.tfrc"), filepath.Join(dir, "mirrored.tfrc")}

	return p, errors.Join(
		os.WriteFile(p.direct, fmt.Appendf(nil, "provider_installation {\n  dev_overrides {\n    \"auditlogs/audit\" = %q\n  }\n  direct {}\n}\n", dir), 0o600),
		os.WriteFile(p.mirrored, fmt.Appendf(nil, "provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n",
			dir), 0o600),
	)
})

func TestMain(m *testing.M) {
	code := m.Run()

	if p, err := built(); err == nil {
		_ = os.RemoveAll(filepath.Dir(p.direct))
	}

	os.Exit(code)
}

// gate is a copy of a recipe before one of the logs.
type gate struct {
	t    *testing.T
	dir  string
	tool string
	env  []string
}

func newGate(t *testing.T, recipe, log, tool string) *gate {
	t.Helper()

	p, err := built()
	if err != nil {
		t.Fatal(err)
	}

	// The provider runs by the machine's clock, as it does for a user.
	now := time.Now()

	fake, err := fakeapi.New(fakeapi.Options{NoExamples: true, Now: now, RetryAfter: "0"})
	if err != nil {
		t.Fatal(err)
	}

	record := fakeapi.UpCloudRecord{
		Time: now.Add(-time.Hour), CloudEventID: "01HQXYZ123456789ABCDEFGHJK", CorrelationID: "c", Action: "create",
		ResourceType: "server", ResourceID: "r", Origin: "api", AuthType: "api", AccountUsername: culprit, IPAddress: address,
	}
	fake.AppendUpCloud(record)

	if log == unexpected {
		record.Action, record.CloudEventID = "delete", "01HQXYZ123456789ABCDEFGHJM"
		fake.AppendUpCloud(record)
	}

	server := httptest.NewServer(fake.UpCloud())
	t.Cleanup(server.Close)

	token := fakeapi.DefaultToken
	if log == unreadable {
		token = "wrong"
	}

	g := &gate{t: t, dir: t.TempDir(), tool: tool}
	g.env = append(slices.DeleteFunc(os.Environ(), func(pair string) bool {
		return strings.HasPrefix(pair, "TF_") || strings.HasPrefix(pair, "UPCLOUD_") || strings.HasPrefix(pair, "CLOUDSCALE_")
	}),
		"TF_CLI_CONFIG_FILE="+p.direct, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "NO_COLOR=1",
		"UPCLOUD_TOKEN="+token, "UPCLOUD_DEBUG_API_BASE_URL="+server.URL, "TERRAFORM="+tool,
	)

	if err := os.CopyFS(g.dir, os.DirFS(recipe)); err != nil {
		t.Fatal(err)
	}

	return g
}

// initialise is for a recipe that runs more than one command.
func (g *gate) initialise() {
	g.t.Helper()

	p, err := built()
	if err != nil {
		g.t.Fatal(err)
	}

	g.env = append(g.env, "TF_CLI_CONFIG_FILE="+p.mirrored)

	if code, out := g.run(g.tool, "init", "-no-color"); code != 0 {
		g.t.Fatalf("init exits with %d:\n%s", code, out)
	}
}

// run returns a command's exit code and output.
func (g *gate) run(name string, args ...string) (int, string) {
	g.t.Helper()

	var out bytes.Buffer

	command := exec.CommandContext(g.t.Context(), name, args...)
	command.Dir, command.Env, command.Stdout, command.Stderr = g.dir, g.env, &out, &out

	exit := (*exec.ExitError)(nil)
	if err := command.Run(); err != nil && !errors.As(err, &exit) {
		g.t.Fatal(err)
	}

	return command.ProcessState.ExitCode(), out.String()
}

// commands are the columns of the table.
func commands() map[string][]string {
	return map[string][]string{
		"`plan`":                    {"plan", "-input=false", "-no-color"},
		"`plan -detailed-exitcode`": {"plan", "-input=false", "-no-color", "-detailed-exitcode"},
		"`apply`":                   {"apply", "-input=false", "-no-color", "-auto-approve"},
		"`test`":                    {"test", "-no-color"},
	}
}

var row = regexp.MustCompile(`^\| \[([a-z-]+)\]\([a-z-]+\) \| (` + unexpected + `|` + clean + `|` + unreadable +
	`) \|(.*)\|$`)

// TestExitCodes runs every row and column of README.md's table.
func TestExitCodes(t *testing.T) {
	t.Parallel()

	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}

	var columns []string

	listed := map[string]bool{}

	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)

		if strings.HasPrefix(line, "| recipe | the log |") {
			for _, cell := range strings.Split(strings.Trim(line, "|"), "|")[2:] {
				columns = append(columns, strings.TrimSpace(cell))
			}
		}

		match := row.FindStringSubmatch(line)
		if match == nil {
			continue
		}

		recipe, log := match[1], match[2]
		listed[recipe+": "+log] = true

		for i, cell := range strings.Split(match[3], "|") {
			args, ok := commands()[columns[i]]
			if !ok {
				t.Fatalf("no command is known for the column %s", columns[i])
			}

			want, err := strconv.Atoi(strings.Trim(cell, " *"))
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}

			for _, tool := range tools(t) {
				t.Run(fmt.Sprintf("%s/%s/%s/%s", filepath.Base(tool), recipe, log, args[0]+strconv.Itoa(i)), func(t *testing.T) {
					t.Parallel()

					code, out := newGate(t, recipe, log, tool).run(tool, args...)
					if code != want {
						t.Errorf("exit code %d, want %d:\n%s", code, want, out)
					}
				})
			}
		}
	}

	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}

	for _, e := range entries {
		for _, log := range []string{unexpected, clean, unreadable} {
			if _, err := os.Stat(filepath.Join(e.Name(), "main.tf")); err == nil && !listed[e.Name()+": "+log] {
				t.Errorf("README.md does not say what %s does when the log is: %s", e.Name(), log)
			}
		}
	}
}

// withJQ puts a jq on the PATH where the machine has none.
func withJQ(t *testing.T, g *gate) {
	t.Helper()

	if _, err := exec.LookPath("jq"); err == nil {
		return
	}

	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-modfile=tools/go.mod", "-o",
		filepath.Join(bin, executable("jq")), "github.com/itchyny/gojq/cmd/gojq")
	build.Dir = "../.."

	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	g.env = append(g.env, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// steps returns the shell commands of the workflow's job, whose directory is gate.
func steps(t *testing.T) []string {
	t.Helper()

	text, err := os.ReadFile("github-actions/audit-gate.yml")
	if err != nil {
		t.Fatal(err)
	}

	var workflow struct {
		Jobs map[string]struct {
			Defaults struct {
				Run map[string]string `yaml:"run"`
			} `yaml:"defaults"`
			Steps []struct {
				Run string `yaml:"run"`
			} `yaml:"steps"`
		} `yaml:"jobs"`
	}

	if err := yaml.Unmarshal(text, &workflow); err != nil {
		t.Fatal(err)
	}

	job, ok := workflow.Jobs["gate"]
	if !ok || job.Defaults.Run["working-directory"] != "gate" {
		t.Fatalf("the job gate does not run in the directory gate: %+v", workflow)
	}

	commands := []string{}

	for _, step := range job.Steps {
		if step.Run != "" {
			commands = append(commands, step.Run)
		}
	}

	return commands
}

// TestVerdicts runs the gates whose verdict is not Terraform's alone, and holds
// them against README.md's second table.
func TestVerdicts(t *testing.T) {
	t.Parallel()

	if runtime.GOOS == "windows" {
		t.Skip("the recipes are for a POSIX shell")
	}

	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}

	for recipe, verdict := range map[string]struct {
		directory string
		commands  []string
	}{
		"plan-policy":    {"plan-policy", []string{"sh gate.sh"}},
		"github-actions": {"counts", steps(t)},
	} {
		line := regexp.MustCompile(`(?m)^\| \[` + recipe +
			`\]\([^|]*\| [^|]* \| ([0-9*]+) \| ([0-9*]+) \| ([0-9*]+) \|$`).FindStringSubmatch(string(text))
		if line == nil {
			t.Fatalf("README.md lacks %s", recipe)
		}

		for i, log := range []string{unexpected, clean, unreadable} {
			want, err := strconv.Atoi(strings.Trim(line[i+1], "*"))
			if err != nil {
				t.Fatal(err)
			}

			for _, tool := range tools(t) {
				t.Run(fmt.Sprintf("%s/%s/%s", filepath.Base(tool), recipe, log), func(t *testing.T) {
					t.Parallel()

					g := newGate(t, verdict.directory, log, tool)
					withJQ(t, g)
					g.initialise()

					// What the workflow calls terraform is the tool at hand.
					bin := t.TempDir()
					if err := os.Symlink(tool, filepath.Join(bin, "terraform")); err != nil {
						t.Fatal(err)
					}

					g.env = append(g.env, "PATH="+bin+string(os.PathListSeparator)+lastPath(g.env))

					code, all := 0, []string{}

					for _, command := range verdict.commands {
						var out string

						code, out = g.run("sh", "-e", "-c", command)
						all = append(all, out)

						if code != 0 {
							break
						}
					}

					if code != want {
						t.Errorf("exit code %d, want %d:\n%s", code, want, strings.Join(all, ""))
					}
				})
			}
		}
	}
}

// lastPath is the PATH that a command with this environment gets.
func lastPath(env []string) string {
	path := ""

	for _, pair := range env {
		if value, ok := strings.CutPrefix(pair, "PATH="); ok {
			path = value
		}
	}

	return path
}

// TestPolicyFailsClosed: a plan that holds no look-up, or one that is put off,
// is a violation.
func TestPolicyFailsClosed(t *testing.T) {
	t.Parallel()

	if os.Getenv("TF_ACC") == "" {
		t.Skip("gates run with TF_ACC=1")
	}

	const leavesOut = "data.audit_logs.x asks for less than every deletion: "

	for name, tt := range map[string]struct {
		plan, want string
		code       int
	}{
		"nothing": {`{}`, "No audit log was read.\n", 1},
		"put off": {
			`{"resource_changes":[{"address":"data.audit_logs.x","mode":"data","type":"audit_logs"}]}`,
			"No audit log was read.\ndata.audit_logs.x is only read during the apply.\n", 1,
		},
		"a module": {planned(`"child_modules":[{"resources":[` +
			lookUp("module.m.data.audit_logs.x", 25, 0, `"completeness":{"conclusive":false,"unknown_actions":["a","b"]}`) +
			`]}]`), "module.m.data.audit_logs.x does not show everything that happened.\nmodule.m.data.audit_logs.x holds actions that nobody knows: a, b.\n", 1},
		"clean": {
			planned(`"resources":[` + lookUp("data.audit_logs.x", 25, 0, `"operations":null,"where":null`) + `]`),
			"No violation in 1 look-up(s).\n", 0,
		},
		"deletions": {planned(`"resources":[` + lookUp("data.audit_logs.x", 25, 0, `"operations":["delete","create"]`) +
			`]`), "No violation in 1 look-up(s).\n", 0},
		"operations": {
			planned(`"resources":[` + lookUp("data.audit_logs.x", 25, 0, `"operations":["create"]`) + `]`),
			leavesOut + "operations.\n", 1,
		},
		"filters": {
			planned(`"resources":[` + lookUp("data.audit_logs.x", 25, 0, `"actors":["mia"],"where":"true"`) + `]`),
			leavesOut + "actors, where.\n", 1,
		},
		"short": {
			planned(`"resources":[` + lookUp("data.audit_logs.x", 23, 0, `"search":null`) + `]`),
			"data.audit_logs.x covers less than the last 24 hours.\n", 1,
		},
		"long ago": {
			planned(`"resources":[` + lookUp("data.audit_logs.x", 100, 2, `"search":null`) + `]`),
			"data.audit_logs.x covers less than the last 24 hours.\n", 1,
		},
		"unsaid": {planned(`"resources":[{"address":"data.audit_logs.x","mode":"data","type":"audit_logs","values":{}}]`), "", 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			g := &gate{t: t, dir: "plan-policy", env: os.Environ()}
			withJQ(t, g)

			file := filepath.Join(t.TempDir(), "plan.json")
			if err := os.WriteFile(file, []byte(tt.plan), 0o600); err != nil {
				t.Fatal(err)
			}

			code, out := g.run("sh", "-c", "jq --raw-output --from-file policy.jq "+file)
			if code != tt.code || tt.want != "" && out != tt.want {
				t.Errorf("exit code %d: %s", code, out)
			}
		})
	}
}

// lookUp is what a plan holds of one whose window is that long and ended that long
// ago, in hours. What is given wins over what a clean one has.
func lookUp(address string, length, ago int, values string) string {
	end := time.Now().Add(-time.Duration(ago) * time.Hour).UTC()
	stamp := func(t time.Time) string { return t.Format("2006-01-02T15:04:05.000000Z") }

	return fmt.Sprintf(`{"address":%q,"mode":"data","type":"audit_logs","values":{"window_start":%q,"window_end":%q,"counts_by_operation":{"create":1},"completeness":{"conclusive":true,"unknown_actions":[]},%s}}`,
		address, stamp(end.Add(-time.Duration(length)*time.Hour)), stamp(end), values)
}

func planned(module string) string {
	return `{"prior_state":{"values":{"root_module":{` + module + `}}}}`
}

// TestExpectedIsTakenAsItIsGiven: no attribute of an expectation is dropped, which
// would let more pass than was meant.
func TestExpectedIsTakenAsItIsGiven(t *testing.T) {
	t.Parallel()

	for _, tool := range tools(t) {
		for name, tt := range map[string]struct {
			expected, want string
			code           int
		}{
			"as it is": {
				`[{ actors = ["` + culprit + `"] }, { resource_types = ["storage"], rules = ["control_panel"] }]`,
				"You can apply this plan", 0,
			},
			"rules":    {`[{ actors = ["` + culprit + `"], rules = ["control_panel"] }]`, "medium: deletion: 1 deletion", 1},
			"misspelt": {`[{ actors = ["` + culprit + `"], resource_type = ["storage"] }]`, "Invalid value for variable", 1},
		} {
			t.Run(filepath.Base(tool)+"/"+name, func(t *testing.T) {
				t.Parallel()

				code, out := newGate(t, "findings", unexpected, tool).run(tool, "plan", "-no-color", "-input=false",
					"-var=expected="+tt.expected)
				if code != tt.code || !strings.Contains(out, tt.want) {
					t.Errorf("exit code %d: %s", code, out)
				}
			})
		}
	}
}

// TestGatesNameWhoAndWhat: whoever is stopped by a gate learns who did what, but for
// the gate that promises to name nobody.
func TestGatesNameWhoAndWhat(t *testing.T) {
	t.Parallel()

	for recipe, tt := range map[string]struct {
		command []string
		what    string
	}{
		"counts":      {[]string{"plan"}, "1 server"},
		"findings":    {[]string{"plan"}, "entry 01HQXYZ123456789ABCDEFGHJM"},
		"assertions":  {[]string{"test"}, "1 of type server"},
		"check":       {[]string{"plan"}, "1 of type server"},
		"ephemeral":   {[]string{"plan"}, ""},
		"plan-policy": {nil, "1 of type server"},
	} {
		for _, tool := range tools(t) {
			t.Run(filepath.Base(tool)+"/"+recipe, func(t *testing.T) {
				t.Parallel()

				g := newGate(t, recipe, unexpected, tool)

				var out string

				if tt.command == nil {
					if runtime.GOOS == "windows" {
						t.Skip("the recipe is for a POSIX shell")
					}

					withJQ(t, g)
					g.initialise()

					_, out = g.run("sh", "gate.sh")
				} else {
					_, out = g.run(tool, append(tt.command, "-no-color")...)
				}

				// Terraform breaks lines where it likes.
				out = strings.Join(strings.Fields(strings.NewReplacer("│", " ", "╵", " ").Replace(out)), " ")
				if strings.Contains(out, culprit) != (tt.what != "") || !strings.Contains(out, tt.what) {
					t.Errorf("want %s and %q in:\n%s", culprit, tt.what, out)
				}
			})
		}
	}
}

// TestNothingIsStored: after an apply, what README.md says is not stored is
// nowhere in the directory.
func TestNothingIsStored(t *testing.T) {
	t.Parallel()

	for _, tool := range tools(t) {
		for recipe, stored := range map[string]bool{"counts": true, "ephemeral": false} {
			t.Run(filepath.Base(tool)+"/"+recipe, func(t *testing.T) {
				t.Parallel()

				g := newGate(t, recipe, unexpected, tool)

				if code, out := g.run(tool, "apply", "-no-color", "-auto-approve", "-input=false", `-var=allowed_actors=["`+culprit+
					`"]`); code != 0 {
					t.Fatalf("exit code %d: %s", code, out)
				}

				if code, out := g.run(tool, "plan", "-no-color", "-input=false", "-out=saved.tfplan",
					`-var=allowed_actors=[]`); code != 1 {
					t.Fatalf("exit code %d: %s", code, out)
				}

				state, err := os.ReadFile(filepath.Join(g.dir, "terraform.tfstate"))
				if err != nil {
					t.Fatal(err)
				}

				// The allowed actor is no input of a resource, so the name can only come of the log.
				if got := strings.Contains(string(state), culprit); got != stored {
					t.Errorf("the culprit is stored: %v\n%s", got, state)
				}
			})
		}
	}
}
