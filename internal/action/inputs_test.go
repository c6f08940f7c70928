package action

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var buckets = []string{"ecs:task-definition-modify", "ecs:service-modify", "codedeploy"}

// rawOf reads inputs as a workflow gives them.
func rawOf(inputs map[string]string) Raw {
	return ReadEnv(func(variable string) string {
		name, _ := strings.CutPrefix(variable, "INPUT_")
		return inputs[strings.ToLower(name)]
	})
}

func texts(errs []error) []string {
	var all []string
	for _, err := range errs {
		all = append(all, err.Error())
	}
	return all
}

func TestParseTakesTheDefaultsOfTheTable(t *testing.T) {
	got, errs := rawOf(map[string]string{"environments": "*", "image-tag": "v1"}).Parse(Known{})
	if errs != nil {
		t.Fatal(errs)
	}
	want := Inputs{
		Command: "deploy", Environments: "*", FleetFile: ".github/ecs-fleet.yml", ImageTag: "v1", MaxTasks: 200, Autoscaling: "leave",
		WaitFor: "deployed", OnInProgress: "wait", Rollback: "environment", APIShare: 1, APIQuotas: map[string]Quota{}, Summary: "full",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseConvertsEveryInput(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0a", 32)
	got, errs := rawOf(map[string]string{
		"command":              "deploy",
		"environments":         " tenant-*,\n!tenant-b ",
		"services":             "rails, next*\nnginx",
		"fleet-file":           "ops/fleet.yml",
		"image-tag":            digest,
		"images":               "app=v1.8.0\n\n proxy = 111122223333.dkr.ecr.eu-west-1.amazonaws.com/nginx:1@" + digest + "\nside=" + digest,
		"container":            "app,proxy",
		"task-cpu":             ".5 vCPU",
		"task-memory":          "1GB",
		"max-tasks":            "50",
		"autoscaling":          "leave",
		"force-new-deployment": "True",
		"wait-for":             "stable",
		"max-task-failures":    "3",
		"bake-time":            "10m",
		"alarms":               "rails-5xx, {environment}-p99",
		"on-in-progress":       "stop",
		"timeout":              "1h30m",
		"max-parallel":         "8",
		"max-failures":         "12.5%",
		"rollback":             "all",
		"allow-older":          "true",
		"dry-run":              "TRUE",
		"api-share":            "50%",
		"api-quotas":           "ecs:task-definition-modify: 5/s, burst 40\ncodedeploy: 0.5/s",
		"region":               "ap-northeast-1",
		"account":              "111122223333",
		"role-arn":             "arn:aws:iam::{account}:role/deploy",
		"external-id":          "x",
		"cluster":              "main",
		"summary":              "off",
	}).Parse(Known{Buckets: buckets, Stages: []string{"ecs:BAKE_TIME", "codedeploy:AllowTraffic"}})
	if errs != nil {
		t.Fatal(errs)
	}
	want := Inputs{
		Command: "deploy", Environments: "tenant-*,\n!tenant-b", Services: []string{"rails", "next*", "nginx"},
		FleetFile: "ops/fleet.yml", ImageTag: digest,
		Images: []ContainerImage{
			{Container: "app", Value: "v1.8.0"},
			{Container: "proxy", Value: "111122223333.dkr.ecr.eu-west-1.amazonaws.com/nginx:1@" + digest, Reference: true},
			{Container: "side", Value: digest},
		},
		Container: []string{"app", "proxy"}, TaskCPU: 512, TaskMemory: 1024, MaxTasks: 50, Autoscaling: "leave", ForceNewDeployment: true, WaitFor: "stable", OnInProgress: "stop",
		Timeout: 90 * time.Minute, MaxTaskFailures: 3, BakeTime: 10 * time.Minute, Alarms: []string{"rails-5xx", "{environment}-p99"}, MaxParallel: 8, MaxFailures: MaxFailures{Given: true, Percent: 12.5}, Rollback: "all", AllowOlder: true, DryRun: true,
		APIShare: 0.5, APIQuotas: map[string]Quota{"ecs:task-definition-modify": {5, 40}, "codedeploy": {Rate: 0.5}},
		Region: "ap-northeast-1", Account: "111122223333", RoleARN: "arn:aws:iam::{account}:role/deploy",
		ExternalID: "x", Cluster: "main", Summary: "off",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEveryRowOfTheTableHasAField(t *testing.T) {
	var want []string
	for _, name := range inputNames() {
		want = append(want, strings.ReplaceAll(name, "-", ""))
	}
	var got []string
	for field := range reflect.TypeFor[Inputs]().Fields() {
		got = append(got, strings.ToLower(field.Name))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the table and Inputs differ (-table +Inputs):\n%s", diff)
	}
}

func TestParseTellsWhatToWriteInstead(t *testing.T) {
	for name, c := range map[string]struct {
		inputs map[string]string // with environments and image-tag where they are not given
		want   []string
	}{
		"environments is never optional": {
			map[string]string{"environments": "  "},
			[]string{"input environments: is required and empty; write which ones, such as tenant-*, or * for everything"}},
		"a command of another version": {
			map[string]string{"command": "scal"},
			[]string{`input command: "scal" is not known; did you mean "scale"?`}},
		"inputs of scale with deploy": {
			map[string]string{"min-capacity": "8", "scale-for": "3h", "restore": "true", "autoscaling": "adjust"},
			[]string{
				`input min-capacity: is for command scale; deploy leaves the number of tasks alone, leave it out`,
				`input autoscaling: "adjust" is not for command deploy; write one of leave, suspend`,
				`input scale-for: is for command scale; deploy leaves the number of tasks alone, leave it out`,
				`input restore: is for command scale; deploy leaves the number of tasks alone, leave it out`,
			}},
		"a number of tasks with a deploy that nobody waits for": {
			map[string]string{"desired-count": "2", "wait-for": "started", "prepare": "true"},
			[]string{
				`input desired-count: cannot be given together with prepare, which touches no service; leave one`,
				`input desired-count: needs to know that the new tasks run before it takes others away; leave out wait-for: started`,
			}},
		"a moment, and for ever": {
			map[string]string{"command": "scale", "image-tag": "", "desired-count": "2", "scale-for": "10s"},
			[]string{`input scale-for: "10s" is not a duration between 1m and 744h; write 90m or 3h`}},
		"sizes that are none": {
			map[string]string{"task-cpu": "8 GB", "task-memory": "large", "desired-count": "0"},
			[]string{
				`input task-cpu: "8 GB" is not a size; write 8192 or 8 vCPU`,
				`input task-memory: "large" is not a size; write 16384 or 16 GB`,
				`input desired-count: is 0; set allow-zero to true if no task is to run`,
			}},
		"sizes with scale": {
			map[string]string{"command": "scale", "image-tag": "", "desired-count": "2", "task-cpu": "8192"},
			[]string{`input task-cpu: is for command deploy; scale registers no revision, leave it out`}},
		"inputs of deploy with scale": {
			map[string]string{"command": "scale", "image-tag": "v1", "force-new-deployment": "true", "desired-count": "8"},
			[]string{
				`input image-tag: is for command deploy; scale registers no revision, leave it out`,
				`input force-new-deployment: is for command deploy; scale replaces no task, leave it out`,
			}},
		"numbers of tasks that are none": {
			map[string]string{"command": "scale", "image-tag": "", "desired-count": "rails=12\nweb=many\n=3\nrails=4", "min-capacity": "-1", "max-capacity": "2000", "max-tasks": "500"},
			[]string{
				`input desired-count: line 2: "many" is no number of tasks; write 8, a change (+4, -2), a share (200%), or a line for each service such as rails=12`,
				`input desired-count: line 3: "=3" names no service; write rails=12`,
				`input desired-count: line 4: "rails" stands there twice; leave one`,
				`input min-capacity: "-1" is not a number of tasks; write 2`,
				`input max-capacity: is 2000, and max-tasks is 500; correct the number, or raise max-tasks`,
			}},
		"restore with a number": {
			map[string]string{"command": "scale", "image-tag": "", "restore": "true", "desired-count": "8"},
			[]string{`input desired-count: cannot be given together with restore, which puts back what is recorded; leave one`}},
		"a temporary scale that nothing ends": {
			map[string]string{"command": "scale", "image-tag": "", "desired-count": "8", "scale-for": "3h", "autoscaling": "suspend"},
			[]string{`input scale-for: ends by bounds that AWS sets, so it needs autoscaling: adjust; leave one out`}},
		"a scalable target that nothing needs": {
			map[string]string{"command": "scale", "image-tag": "", "desired-count": "8", "create-scalable-target": "true", "min-capacity": "4", "max-capacity": "2"},
			[]string{
				`input min-capacity: is 4, above max-capacity 2; exchange them`,
				`input create-scalable-target: is for scale-for, which needs a scalable target to end; leave it out, or give scale-for`,
			}},
		"a misspelt choice": {
			map[string]string{"wait-for": "deployd"},
			[]string{`input wait-for: "deployd" is not known; did you mean "deployed"?`}},
		"a choice that is nothing like one": {
			map[string]string{"wait-for": "healthy"},
			[]string{`input wait-for: "healthy" is not known; write one of deployed, stable, started, ecs:BAKE_TIME, codedeploy:AllowTraffic`}},
		"a word for a number of failures": {
			map[string]string{"max-failures": "ten"},
			[]string{`input max-failures: "ten" is not a number or a percentage; write 3 or 10%`}},
		"more than all may not fail": {
			map[string]string{"max-failures": "101%"},
			[]string{`input max-failures: "101%" is not a number or a percentage; write 3 or 10%`}},
		"a number of nothing": {
			map[string]string{"max-parallel": "0"},
			[]string{`input max-parallel: "0" is not a number of 1 or more; write 10, or leave it out for no limit`}},
		"a signed number": {
			map[string]string{"max-parallel": "+3"},
			[]string{`input max-parallel: "+3" is not a number of 1 or more; write 10, or leave it out for no limit`}},
		"a duration without a unit": {
			map[string]string{"timeout": "30"},
			[]string{`input timeout: "30" is not a duration; write 90m or 1h30m`}},
		"a duration longer than a day": {
			map[string]string{"timeout": "24h0m1s"},
			[]string{`input timeout: "24h0m1s" is not between 1s and 24h; write a duration such as 90m`}},
		"a duration below a second": {
			map[string]string{"timeout": "999ms"},
			[]string{`input timeout: "999ms" is not between 1s and 24h; write a duration such as 90m`}},
		"a wave that is not waited for cannot bake": {
			map[string]string{"bake-time": "10m", "wait-for": "started"},
			[]string{`input bake-time: a wave can only bake when its deployments are waited for; set wait-for to deployed instead of started, or leave bake-time out`}},
		"no bake time is no mistake": {
			map[string]string{"bake-time": "0s", "wait-for": "started"}, nil},
		"a boolean of another language": {
			map[string]string{"dry-run": "yes"},
			[]string{`input dry-run: "yes" is neither true nor false; write one of them`}},
		"a share of nothing": {
			map[string]string{"api-share": "0%"},
			[]string{`input api-share: "0%" is not a percentage above 0% and up to 100%; write 50%`}},
		"a share without a sign": {
			map[string]string{"api-share": "50"},
			[]string{`input api-share: "50" is not a percentage above 0% and up to 100%; write 50%`}},
		"a tag that is a reference": {
			map[string]string{"image-tag": "rails:v1"},
			[]string{`input image-tag: "rails:v1" is not a tag or a sha256 digest; write the tag alone, such as v1.8.0, or a whole reference as image`}},
		"a tag with a space": {
			map[string]string{"image-tag": "v1 v2"},
			[]string{`input image-tag: "v1 v2" is not a tag; write letters, digits, dots, dashes and underscores, at most 128, such as v1.8.0`}},
		"a repository in upper case": {
			map[string]string{"image-tag": " ", "image": "example.com/Rails:v1"},
			[]string{`input image: "example.com/Rails:v1" is not an image reference; write repository:tag or repository@sha256:…, the repository in lower case`}},
		"a tag and an image": {
			map[string]string{"image": "rails:v1"},
			[]string{`input image: cannot be given together with image-tag; leave one`}},
		"nothing to deploy": {
			map[string]string{"image-tag": " "},
			[]string{`input image-tag: nothing to deploy; give image-tag, image or images, task-cpu or task-memory, or set force-new-deployment to true`}},
		"nothing to deploy, and a force of another spelling": {
			map[string]string{"image-tag": " ", "force-new-deployment": "False"},
			[]string{`input image-tag: nothing to deploy; give image-tag, image or images, task-cpu or task-memory, or set force-new-deployment to true`}},
		"a force that cannot be read is one mistake": {
			map[string]string{"image-tag": " ", "force-new-deployment": "on"},
			[]string{`input force-new-deployment: "on" is neither true nor false; write one of them`}},
		"lines of images, each with its number": {
			map[string]string{"images": "app\n\n=v1\napp=v1\napp=v2\nweb=v1 v2"},
			[]string{
				`input images: line 1: "app" is not container=value; write app=v1.8.0`,
				`input images: line 3: "=v1" is not container=value; write app=v1.8.0`,
				`input images: line 5: "app" stands there twice; leave one`,
				`input images: line 6: "v1 v2" is not a tag; write letters, digits, dots, dashes and underscores, at most 128, such as v1.8.0`,
			}},
		"lines of quotas": {
			map[string]string{"api-quotas": "ecs:task-definition-modfy: 5/s\ncodedeploy: 5\ncodedeploy: -1/s\ncodedeploy: 5/s, burst 0.5\ncodedeploy: 1e3/s"},
			[]string{
				`input api-quotas: line 1: bucket "ecs:task-definition-modfy" is not known; did you mean "ecs:task-definition-modify"?`,
				`input api-quotas: line 2: "codedeploy: 5" is not a quota; write ecs:task-definition-modify: 5/s, burst 40`,
				`input api-quotas: line 3: "-1" is not a number above 0 and up to 10000; write a rate such as 5/s and a burst such as 40`,
				`input api-quotas: line 4: a burst of "0.5" lets nothing through; write 1 or more`,
				`input api-quotas: line 5: "1e3" is not a number above 0 and up to 10000; write a rate such as 5/s and a burst such as 40`,
			}},
		"places that look like none": {
			map[string]string{"region": "Tokyo", "account": "12345", "role-arn": "deploy"},
			[]string{
				`input region: "Tokyo" does not look like one; write ap-northeast-1`,
				`input account: "12345" does not look like one; write its twelve digits`,
				`input role-arn: "deploy" does not look like one; write arn:aws:iam::{account}:role/deploy`,
			}},
		"all at once, in the order of the table": {
			map[string]string{"summary": "none", "environments": " ", "image": "rails", "max-parallel": "x", "command": "deplyo"},
			[]string{
				`input command: "deplyo" is not known; did you mean "deploy"?`,
				`input environments: is required and empty; write which ones, such as tenant-*, or * for everything`,
				`input image: cannot be given together with image-tag; leave one`,
				`input max-parallel: "x" is not a number of 1 or more; write 10, or leave it out for no limit`,
				`input summary: "none" is not known; write one of full, compact, off`,
			}},
	} {
		t.Run(name, func(t *testing.T) {
			inputs := map[string]string{"environments": "*", "image-tag": "v1"}
			for k, v := range c.inputs {
				inputs[k] = v
			}
			_, errs := rawOf(inputs).Parse(Known{Buckets: buckets, Stages: []string{"ecs:BAKE_TIME", "codedeploy:AllowTraffic"}})
			if diff := cmp.Diff(c.want, texts(errs)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseTakesWhatCanBeDeployed(t *testing.T) {
	for name, inputs := range map[string]map[string]string{
		"images alone":                   {"images": "app=v1"},
		"a force alone":                  {"force-new-deployment": "true"},
		"a tag, and images that differ":  {"image-tag": "v1", "images": "app=v2"},
		"a reference with a port":        {"image": "localhost:5000/team/rails:v1"},
		"a reference without a tag":      {"image": "public.ecr.aws/nginx/nginx"},
		"no failure at all may happen":   {"image-tag": "v1", "max-failures": "0"},
		"an account that is filled in":   {"image-tag": "v1", "account": "{tenant-account}"},
		"a Region of another partition":  {"image-tag": "v1", "region": "us-gov-west-1"},
		"a role of another partition":    {"image-tag": "v1", "role-arn": "arn:aws-us-gov:iam::111122223333:role/ci/deploy"},
		"carriage returns between lines": {"images": "app=v1\r\nweb=v2\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			inputs["environments"] = "*"
			if _, errs := rawOf(inputs).Parse(Known{Buckets: buckets, Stages: []string{"ecs:BAKE_TIME", "codedeploy:AllowTraffic"}}); errs != nil {
				t.Error(errs)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("images", "app=v1\nweb=example.com/web:v2")
	f.Add("api-quotas", "ecs:task-definition-modify: 5/s, burst 40")
	f.Add("max-failures", "10%")
	f.Add("timeout", "1h30m")
	f.Add("environments", "- {name: a}")
	f.Add("image", "example.com:80/a/b:c")
	f.Fuzz(func(t *testing.T, name, value string) {
		in, errs := rawOf(map[string]string{"environments": "*", "image-tag": "v1", name: value}).Parse(Known{Buckets: buckets, Stages: []string{"ecs:BAKE_TIME", "codedeploy:AllowTraffic"}})
		for _, err := range errs {
			if strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("a mistake of several lines: %q", err)
			}
		}
		if errs != nil {
			return
		}
		if !(in.APIShare > 0 && in.APIShare <= 1) || in.MaxParallel < 0 || in.MaxFailures.Percent < 0 || in.MaxFailures.Percent > 100 {
			t.Errorf("out of bounds: %+v", in)
		}
		if in.Timeout != 0 && (in.Timeout < time.Second || in.Timeout > 24*time.Hour) {
			t.Errorf("timeout %s", in.Timeout)
		}
		for bucket, q := range in.APIQuotas {
			if !(q.Rate > 0) || q.Burst < 0 {
				t.Errorf("bucket %s: %+v", bucket, q)
			}
		}
	})
}

func FuzzReadFlags(f *testing.F) {
	f.Add("deploy\x00--image-tag\x00v1\x00--dry-run")
	f.Add("--=\x00-\x00--")
	f.Fuzz(func(t *testing.T, line string) {
		raw, errs := ReadFlags(strings.Split(line, "\x00"))
		if len(errs) > 1 && errors.Is(errors.Join(errs...), ErrHelp) {
			t.Error("help among mistakes")
		}
		raw.Parse(Known{Buckets: buckets, Stages: []string{"ecs:BAKE_TIME", "codedeploy:AllowTraffic"}})
	})
}
