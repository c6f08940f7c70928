package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ecs-fleet/internal/action"
)

// TestGeneratedTextsAreCurrent holds what is written from a table of the code,
// or copied from a file, against its source. -update rewrites it.
func TestGeneratedTextsAreCurrent(t *testing.T) {
	readme := read(t, "README.md")
	want := between(t, readme, "<!-- inputs -->\n", "<!-- /inputs -->", action.Markdown())
	for _, file := range []string{"testdata/fleets/company.yml", "testdata/fleets/inline.yml"} {
		want = between(t, want, "<!-- "+file+" -->\n```yaml\n", "```", read(t, file))
	}
	current(t, "README.md", readme, want)
	current(t, "action.yml", read(t, "action.yml"), action.ActionYAML())
}

// between is text with what stands between two marks replaced.
func between(t *testing.T, text, begin, end, by string) string {
	before, rest, found := strings.Cut(text, begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("README.md lacks the mark %q, or the %q after it", begin, end)
	}
	return before + begin + by + end + after
}

func current(t *testing.T, file, got, want string) {
	if got == want {
		return
	}
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s is out of date; go test . -update rewrites it (-source +file):\n%s", file, cmp.Diff(want, got))
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	fence   = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
)

// TestLinksResolve follows every relative link of the documents.
func TestLinksResolve(t *testing.T) {
	for _, file := range documents(t) {
		text := fence.ReplaceAllString(read(t, file), "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target, anchor, _ := strings.Cut(m[1], "#")
			path := filepath.Join(filepath.Dir(file), target)
			if target == "" {
				path = file
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s links to %s, which does not exist", file, m[1])
			} else if anchor != "" && !slices.Contains(anchors(read(t, path)), anchor) {
				t.Errorf("%s links to %s, and %s has no such heading", file, m[1], path)
			}
		}
	}
}

func documents(t *testing.T) []string {
	var files []string
	for _, pattern := range []string{"*.md", ".github/*.md", "internal/*.md", "internal/*/README.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if !slices.Contains(files, "README.md") || !slices.Contains(files, "internal/README.md") {
		t.Fatalf("a README is missing; there are %v", files)
	}
	return files
}

// anchors are the headings as GitHub names them: lower case, spaces as dashes,
// without punctuation.
func anchors(text string) []string {
	var all []string
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		kept := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(kept, " ", "-"))
	}
	return all
}

// TestNamedFilesExist: a document that sends people to a file that was renamed
// costs more than none.
func TestNamedFilesExist(t *testing.T) {
	there := make(map[string]bool)
	for _, dir := range packages(t) {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			there[filepath.Base(file)] = true
			there[filepath.ToSlash(strings.TrimPrefix(file, "internal"+string(filepath.Separator)))] = true
		}
	}
	for _, m := range regexp.MustCompile("`([\\w/]+\\.go)`").FindAllStringSubmatch(read(t, "internal/README.md"), -1) {
		if !there[m[1]] {
			t.Errorf("internal/README.md names %s, which does not exist", m[1])
		}
	}
}

// TestPoliciesAreJSON parses the policies that people will paste into IAM.
func TestPoliciesAreJSON(t *testing.T) {
	found := 0
	for _, m := range fence.FindAllStringSubmatch(read(t, "README.md"), -1) {
		if m[1] != "json" {
			continue
		}
		found++
		var policy struct{ Version string }
		if err := json.Unmarshal([]byte(m[2]), &policy); err != nil || policy.Version == "" {
			t.Errorf("not an IAM policy (%v):\n%s", err, m[2])
		}
	}
	if found == 0 {
		t.Error("README.md has no policies")
	}
}

// TestPermissionsAreComplete: whatever cloud asks of AWS stands in the README's
// section on permissions, and nothing else does.
func TestPermissionsAreComplete(t *testing.T) {
	_, section, _ := strings.Cut(read(t, "README.md"), "\n## Permissions\n")
	section, _, _ = strings.Cut(section, "\n## ")
	called := map[string]bool{
		"sts:AssumeRole":                true, // through the SDK's credentials provider
		"sts:AssumeRoleWithWebIdentity": true, // by configure-aws-credentials
		"sts:ExternalId":                true, // a condition
		"iam:PassRole":                  true, // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/security_iam_id-based-policy-examples.html
		"iam:PassedToService":           true, // a condition
		"ecs:TagResource":               true, // registering with tags
		"ecs:cluster":                   true, // a condition
		// creating a deployment with an AppSpec file registers that
		// https://docs.aws.amazon.com/codedeploy/latest/userguide/auth-and-access-control-permissions-reference.html
		"codedeploy:RegisterApplicationRevision": true,
	}
	for _, m := range regexp.MustCompile(`&(ecs|ecr|sts|cloudwatchlogs|codedeploy)\.(\w+)Input\{`).FindAllStringSubmatch(sources(t, "internal/cloud"), -1) {
		called[strings.Replace(m[1], "cloudwatchlogs", "logs", 1)+":"+m[2]] = true
	}
	written := make(map[string]bool)
	for _, m := range regexp.MustCompile(`\b(?:ecs|ecr|sts|logs|iam|codedeploy):[A-Za-z][a-z]\w+`).FindAllString(section, -1) {
		written[m] = true
	}
	if diff := cmp.Diff(called, written); diff != "" {
		t.Errorf("internal/cloud calls and README.md \"Permissions\" differ (-calls +README):\n%s", diff)
	}
}

func sources(t *testing.T, dir string) string {
	var b strings.Builder
	for _, file := range goFiles(t, dir) {
		b.WriteString(read(t, file))
	}
	return b.String()
}

// goFiles are the sources of a package, less its tests.
func goFiles(t *testing.T, dir string) []string {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") })
}

// packages are the directories with Go sources, by package name.
func packages(t *testing.T) map[string]string {
	dirs := map[string]string{"main": "."}
	err := filepath.WalkDir("internal", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && len(goFiles(t, path)) > 0 {
			dirs[filepath.ToSlash(strings.TrimPrefix(path, "internal"+string(filepath.Separator)))] = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// rule is a row of the table in internal/README.md.
type rule struct {
	owns       string
	may, never []string
	why        string
}

var (
	row    = regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (.*?) \\| (.*?) ?\\| (.*?): (.*) \\|$")
	quoted = regexp.MustCompile("`([^`]+)`")
)

func rules(t *testing.T) map[string]rule {
	names := func(cell string) []string {
		var all []string
		for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
			all = append(all, m[1])
		}
		return all
	}
	all := make(map[string]rule)
	for _, m := range row.FindAllStringSubmatch(read(t, "internal/README.md"), -1) {
		all[m[1]] = rule{owns: m[2], may: names(m[3]), never: names(m[4]), why: m[5]}
	}
	return all
}

// breach says what is wrong with an import; empty: nothing.
func (r rule) breach(path string) string {
	own, ours := strings.CutPrefix(path, "ecs-fleet/internal/")
	standard := !ours && !strings.Contains(strings.Split(path, "/")[0], ".")
	within := func(name string) bool { return path == name || strings.HasPrefix(path, name+"/") }
	switch {
	case standard && slices.ContainsFunc(r.never, within):
		return r.why
	case standard, ours && slices.Contains(r.may, own), !ours && slices.ContainsFunc(r.may, within):
		return ""
	}
	return fmt.Sprintf("it may import the standard library and %v, since it owns %s", r.may, r.owns)
}

// TestImportsFollowTheTable holds the imports against internal/README.md, in
// both directions: nothing else is imported, and nothing is allowed in vain.
func TestImportsFollowTheTable(t *testing.T) {
	table := rules(t)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(packages(t))), slices.Sorted(maps.Keys(table))); diff != "" {
		t.Fatalf("the packages and the table of internal/README.md differ (-packages +table):\n%s", diff)
	}
	for name, dir := range packages(t) {
		unused := slices.Clone(table[name].may)
		for _, file := range goFiles(t, dir) {
			for _, path := range imports(t, file) {
				if why := table[name].breach(path); why != "" {
					t.Errorf("%s imports %q, but package %s must not: %s", file, path, name, why)
				}
				unused = slices.DeleteFunc(unused, func(may string) bool {
					return path == "ecs-fleet/internal/"+may || path == may || strings.HasPrefix(path, may+"/")
				})
			}
		}
		if len(unused) > 0 {
			t.Errorf("internal/README.md lets %s import %v, which it does not; take them out", name, unused)
		}
	}
}

func TestRuleOfImportsCatchesBreaches(t *testing.T) {
	r := rule{owns: "decisions", may: []string{"fleet", "golang.org/x/sync"}, never: []string{"net"}, why: "pure"}
	for path, want := range map[string]bool{
		"strings": true, "netip": true, "ecs-fleet/internal/fleet": true, "golang.org/x/sync": true, "golang.org/x/sync/errgroup": true,
		"net": false, "net/http": false, "ecs-fleet/internal/cloud": false, "golang.org/x/syncing": false, "github.com/aws/smithy-go": false,
	} {
		if got := r.breach(path) == ""; got != want {
			t.Errorf("import of %q allowed: %v, want %v", path, got, want)
		}
	}
}

func imports(t *testing.T, file string) []string {
	var paths []string
	for _, spec := range parse(t, file, parser.ImportsOnly).Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

func parse(t *testing.T, file string, mode parser.Mode) *ast.File {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, mode)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// TestPackagesAreDocumented: a package is explained in the file that has its
// name, where people look first.
func TestPackagesAreDocumented(t *testing.T) {
	for name, dir := range packages(t) {
		want := "Package " + filepath.Base(dir) + " "
		if name == "main" {
			want = "Command ecs-fleet "
		}
		file := filepath.Join(dir, filepath.Base(name)+".go")
		parsed := parse(t, file, parser.PackageClauseOnly|parser.ParseComments)
		if !strings.HasPrefix(parsed.Doc.Text(), want) {
			t.Errorf("%s: its doc comment does not begin with %q", file, want)
		}
	}
}
