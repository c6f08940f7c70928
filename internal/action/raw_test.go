package action

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadEnvReadsWhatTheRunnerSets(t *testing.T) {
	env := map[string]string{"INPUT_IMAGE-TAG": " v1\n", "INPUT_SERVICES": " \n", "IMAGE-TAG": "v2", "INPUT_IMAGE_TAG": "v3"}
	r := ReadEnv(func(name string) string { return env[name] })
	got := map[string]string{}
	for _, name := range []string{"image-tag", "services", "fleet-file", "wait-for", "image_tag"} {
		got[name] = r.Value(name)
	}
	want := map[string]string{
		"image-tag": "v1", "services": "", "fleet-file": ".github/ecs-fleet.yml", "wait-for": "deployed", "image_tag": "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMisspeltRefusesWhatIsNearlyAnInput(t *testing.T) {
	var got []string
	for _, mistake := range Misspelt([]string{
		"INPUT_DRY-RUN=true", "INPUT_DRY_RUN=true", "INPUT_ENVIRONMENT=a=b", "INPUT_MAX-FAILURE= ", "INPUT_SOMETHING-ELSE=1", "DRY_RUN=1", "INPUT_",
	}) {
		got = append(got, mistake.Error())
	}
	want := []string{
		`input dry_run: is not known; did you mean "dry-run"?`,
		`input environment: is not known; did you mean "environments"?`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadFlags(t *testing.T) {
	for name, c := range map[string]struct {
		args  []string
		want  map[string]string
		wrong []string
	}{
		"a command and flags of both forms": {
			args: []string{"deploy", "--image-tag", "v1", "--environments=a=b", "--max-failures", "10%"},
			want: map[string]string{"command": "deploy", "image-tag": "v1", "environments": "a=b", "max-failures": "10%"}},
		"a boolean alone does not eat the next word": {
			args: []string{"--dry-run", "--image-tag", "v1"},
			want: map[string]string{"dry-run": "true", "image-tag": "v1"}},
		"a boolean with a value": {
			args: []string{"--dry-run=false"},
			want: map[string]string{"dry-run": "false"}},
		"an inline list begins with a dash": {
			args: []string{"--environments", "- {name: a}"},
			want: map[string]string{"environments": "- {name: a}"}},
		"an unknown flag gets the nearest name": {
			args:  []string{"--image_tag=v1", "--imagetag", "--nothing-like-it"},
			wrong: []string{`flag --image_tag: not known; did you mean --image-tag?`, `flag --imagetag: not known; did you mean --image-tag?`, `flag --nothing-like-it: not known; see --help`}},
		"one dash is not enough": {
			args:  []string{"-dry-run"},
			wrong: []string{`flag "-dry-run": flags have two dashes; write --dry-run`}},
		"the value of a mistaken flag is no mistake of its own": {
			args:  []string{"--image_tag", "v1", "-cluster", "main", "-dry-run", "--imagetag", "--dry-run"},
			wrong: []string{`flag --image_tag: not known; did you mean --image-tag?`, `flag "-cluster": flags have two dashes; write --cluster`, `flag "-dry-run": flags have two dashes; write --dry-run`, `flag --imagetag: not known; did you mean --image-tag?`},
			want:  map[string]string{"dry-run": "true"}},
		"a word in between": {
			args:  []string{"--dry-run", "false"},
			wrong: []string{`argument "false": not a flag; write --name=value`},
			want:  map[string]string{"dry-run": "true"}},
		"no value, at the end and in between": {
			args:  []string{"--image-tag", "--dry-run", "--cluster"},
			wrong: []string{`flag --image-tag: its value is missing; write --image-tag=value`, `flag --cluster: its value is missing; write --cluster=value`},
			want:  map[string]string{"dry-run": "true"}},
		"the same flag twice": {
			args:  []string{"deploy", "--image-tag=v1", "--image-tag=v2", "--command=deploy"},
			wrong: []string{`flag --image-tag: given twice; leave one`, `flag --command: given twice; leave one`},
			want:  map[string]string{"command": "deploy", "image-tag": "v1"}},
		"help wins over mistakes": {
			args:  []string{"deploy", "--nope", "-h"},
			wrong: []string{ErrHelp.Error()}},
		"nothing": {},
	} {
		t.Run(name, func(t *testing.T) {
			raw, errs := ReadFlags(c.args)
			got := map[string]string(nil)
			for name, g := range raw.given {
				if got == nil {
					got = map[string]string{}
				}
				got[name] = g.value
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.wrong, texts(errs)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFlagsWinOverVariables(t *testing.T) {
	flags, _ := ReadFlags([]string{"--image-tag=v2"})
	r := flags.Or(rawOf(map[string]string{"image-tag": "v1", "cluster": "main"}))
	if r.Value("image-tag") != "v2" || r.Value("cluster") != "main" {
		t.Errorf("image-tag %q, cluster %q", r.Value("image-tag"), r.Value("cluster"))
	}
	if flags.Value("cluster") != "" {
		t.Error("Or changed the value it was called on")
	}
}

func TestPolicyCountsWhereNoInputIsGiven(t *testing.T) {
	r := rawOf(map[string]string{"environments": "*", "image-tag": "v1", "timeout": "5m"})
	r, mistakes := r.WithPolicy([]Setting{
		{"timeout", "9m", "fleet.yml:3:12"},
		{"wait-for", "stable", "fleet.yml:4:13"},
		{"max-failures", "ten", "fleet.yml:5:17"},
		{"wait_for", "stable", "fleet.yml:6:3"},
		{"dry-run", "true", "fleet.yml:7:3"},
		{"colour", "red", "fleet.yml:8:3"},
	})
	want := []string{
		`fleet.yml:6:3: policy "wait_for" is not known; did you mean "wait-for"?`,
		`fleet.yml:7:3: "dry-run" cannot stand under policy; give it as an input in the workflow`,
		`fleet.yml:8:3: policy "colour" is not known; write one of max-tasks, autoscaling, wait-for, on-in-progress, timeout, max-task-failures, max-parallel, max-failures, rollback, allow-older, bake-time, alarms`,
	}
	if diff := cmp.Diff(want, texts(mistakes)); diff != "" {
		t.Error(diff)
	}
	if r.Value("timeout") != "5m" || r.Value("wait-for") != "stable" || r.Value("dry-run") != "false" {
		t.Errorf("timeout %q, wait-for %q, dry-run %q", r.Value("timeout"), r.Value("wait-for"), r.Value("dry-run"))
	}
	_, errs := r.Parse(Known{})
	want = []string{`fleet.yml:5:17: max-failures: "ten" is not a number or a percentage; write 3 or 10%`}
	if diff := cmp.Diff(want, texts(errs)); diff != "" {
		t.Error(diff)
	}
}

func TestUsageNamesEveryFlag(t *testing.T) {
	for _, name := range inputNames() {
		if !strings.Contains(Usage(), "\n  --"+name+"  (") {
			t.Errorf("no --%s in the help", name)
		}
	}
}

func TestNearest(t *testing.T) {
	for word, want := range map[string]string{
		"image-tag": "image-tag", "imagetag": "image-tag", "IMAGE-TAG": "image-tag", "image-tga": "image-tag",
		"img": "", "environment": "environments", "image-tags": "image-tag", "imags": "image", "": "",
	} {
		if got := nearest(word, []string{"image-tag", "image", "images", "environments"}); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
