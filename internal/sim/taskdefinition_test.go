package sim

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTaskDefinitionKeepsEveryFieldAndShowsDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, World{})
		c.must("ecs:RegisterTaskDefinition", js{
			"family": "web", "networkMode": "awsvpc", "cpu": ".5 vCPU", "memory": "1 GB", "requiresCompatibilities": []string{"FARGATE"},
			"invention": js{"of": []any{"next", 12345678901234567.0, nil}},
			"tags":      []any{js{"key": "team", "value": "web"}},
			"containerDefinitions": []any{js{
				"name": "app", "image": "nginx", "portMappings": []any{js{"containerPort": 80}}, "surprise": true,
			}},
		})
		out := c.must("ecs:DescribeTaskDefinition", js{"taskDefinition": "web", "include": []string{"TAGS"}})
		d := at[js](t, out, "taskDefinition")
		for _, changing := range []string{"registeredAt", "registeredBy", "requiresAttributes"} {
			if d[changing] == nil {
				t.Errorf("%s is not shown", changing)
			}
			delete(d, changing)
		}
		want := js{
			"taskDefinitionArn": "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:1", "revision": 1.0, "status": "ACTIVE",
			"family": "web", "networkMode": "awsvpc", "cpu": "512", "memory": "1024",
			"requiresCompatibilities": []any{"FARGATE"}, "compatibilities": []any{"EC2", "FARGATE"},
			"invention": js{"of": []any{"next", 12345678901234567.0, nil}}, "volumes": []any{}, "placementConstraints": []any{},
			"containerDefinitions": []any{js{
				"name": "app", "image": "nginx", "surprise": true, "essential": true, "cpu": 0.0,
				"portMappings": []any{js{"containerPort": 80.0, "hostPort": 80.0, "protocol": "tcp"}},
				"environment":  []any{}, "mountPoints": []any{}, "volumesFrom": []any{}, "systemControls": []any{},
			}},
		}
		if diff := cmp.Diff(want, d); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]any{js{"key": "team", "value": "web"}}, out["tags"]); diff != "" {
			t.Errorf("tags (-want +got):\n%s", diff)
		}
	})
}

func TestRevisionNumbersAreNeverUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(nil))
		if got := lastPart(c.register("v2")); got != "rails:42" {
			t.Errorf("the first new revision is %s", got)
		}
		c.must("ecs:DeregisterTaskDefinition", js{"taskDefinition": "rails:42"})
		if got := lastPart(c.register("v3")); got != "rails:43" {
			t.Errorf("the next revision is %s", got)
		}
		c.must("ecs:DeregisterTaskDefinition", js{"taskDefinition": "rails:43"})
		newest := c.must("ecs:DescribeTaskDefinition", js{"taskDefinition": "rails"})
		if got := at[float64](t, newest, "taskDefinition", "revision"); got != 41 {
			t.Errorf("the newest ACTIVE one is %v", got)
		}
		inactive := c.must("ecs:DescribeTaskDefinition", js{"taskDefinition": "rails:42"})
		if got := at[string](t, inactive, "taskDefinition", "status"); got != "INACTIVE" {
			t.Errorf("42 is %s", got)
		}
		_, code := c.send("ecs:UpdateService", js{"cluster": "main", "service": "rails", "taskDefinition": "rails:42"})
		if code != "ClientException" {
			t.Errorf("deploying it was answered %q", code)
		}
	})
}

func TestOverlappingRegistrationsOfAFamilyAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, World{})
		in := js{"family": "web", "containerDefinitions": []any{js{"name": "app", "image": "nginx", "memory": 1}}}
		answers := make(chan string, 2)
		for range 2 {
			go func() {
				out, code := c.send("ecs:RegisterTaskDefinition", in)
				answers <- fmt.Sprint(code, out["message"])
			}()
		}
		got := []string{<-answers, <-answers}
		refused := "ClientExceptionToo many concurrent attempts to create a new revision of the specified family."
		if got[0] != refused || got[1] != "<nil>" {
			t.Errorf("the answers were %q", got)
		}
		c.must("ecs:RegisterTaskDefinition", in) // one after the other never meet
		c.must("ecs:RegisterTaskDefinition", in)
	})
}

func TestTaskDefinitionThatECSRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(d, container js)
		want   string
	}{
		{"no family", func(d, _ js) { delete(d, "family") }, "ClientException: Family can not be blank."},
		{"no containers", func(d, _ js) { delete(d, "containerDefinitions") }, "ClientException: Container list cannot be empty."},
		{"members in Go's spelling", func(d, _ js) { d["Family"] = d["family"]; delete(d, "family") }, "ClientException: Family can not be blank."},
		{"an image in Go's spelling", func(_, c js) { c["Image"] = c["image"]; delete(c, "image") }, "ClientException: Container.image should not be null or empty."},
		{"no image", func(_, c js) { delete(c, "image") }, "ClientException: Container.image should not be null or empty."},
		{"a number for the task's cpu", func(d, _ js) { d["cpu"] = 256 }, "SerializationException: cpu: NUMBER_VALUE can not be converted to string"},
		{"a string for a container's cpu", func(_, c js) { c["cpu"] = "256" }, "SerializationException: containerDefinitions: STRING_VALUE can not be converted to int"},
		{"a size that Fargate has not", func(d, _ js) { d["memory"] = "4096" }, "ClientException: No Fargate configuration exists for given values: 256 CPU, 4096 memory. See the Amazon ECS documentation for the valid values."},
		{"bridge network on Fargate", func(d, _ js) { d["networkMode"] = "bridge" }, "ClientException: Fargate only supports network mode 'awsvpc'."},
		{"nothing essential", func(_, c js) { c["essential"] = false }, "ClientException: Invalid container definition: at least one container must be essential."},
		{"more than 64 KiB", func(_, c js) {
			c["environment"] = []any{js{"name": "A", "value": strings.Repeat("x", 64<<10)}}
		}, "ClientException: Actual length: '65736'. Max allowed length is '65536' bytes."},
		{"eleven containers", func(d, c js) { d["containerDefinitions"] = []any{c, c, c, c, c, c, c, c, c, c, c} }, "ClientException: Task definition has too many containers: 11. The maximum is 10."},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, World{})
				container := js{"name": "app", "image": "nginx"}
				d := js{
					"family": "web", "networkMode": "awsvpc", "cpu": "256", "memory": "512", "requiresCompatibilities": []string{"FARGATE"},
					"containerDefinitions": []any{container},
				}
				test.change(d, container)
				out, code := c.send("ecs:RegisterTaskDefinition", d)
				if got := fmt.Sprintf("%s: %v", code, out["message"]); got != test.want {
					t.Errorf("it was answered %s\nnot %s", got, test.want)
				}
			})
		})
	}
}

func TestListTaskDefinitionsByPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, World{})
		for range 5 {
			c.must("ecs:RegisterTaskDefinition", js{"family": "web", "containerDefinitions": []any{js{"name": "app", "image": "nginx", "memory": 1}}})
		}
		if now := c.must("ecs:ListTaskDefinitions", js{"familyPrefix": "web"}); len(at[[]any](t, now, "taskDefinitionArns")) == 5 {
			t.Error("the newest revision is listed at once")
		}
		time.Sleep(time.Second)
		var got []string
		in := js{"familyPrefix": "web", "sort": "DESC", "maxResults": 2}
		for {
			out := c.must("ecs:ListTaskDefinitions", in)
			for _, arn := range at[[]any](t, out, "taskDefinitionArns") {
				got = append(got, lastPart(arn.(string)))
			}
			if out["nextToken"] == nil {
				break
			}
			in["nextToken"] = out["nextToken"]
		}
		if diff := cmp.Diff([]string{"web:5", "web:4", "web:3", "web:2", "web:1"}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if out := c.must("ecs:ListTaskDefinitions", js{"familyPrefix": "we"}); len(at[[]any](t, out, "taskDefinitionArns")) != 0 {
			t.Errorf("the prefix of a family's name lists %v", out)
		}
		if _, code := c.send("ecs:ListTaskDefinitions", js{"nextToken": "x"}); code != "InvalidParameterException" {
			t.Errorf("a wrong token was answered %q", code)
		}
	})
}

func TestTaskSizesInAllSpellings(t *testing.T) {
	for in, want := range map[string]int{"256": 256, "1 vCPU": 1024, "1vcpu": 1024, ".25 vCPU": 256, "lots": 0, "-1": 0, "NaN": 0} {
		if got := units(in, "vcpu"); got != want {
			t.Errorf("%q: %d, not %d", in, got, want)
		}
	}
}

func TestFargateSizesOfTheTable(t *testing.T) {
	for _, test := range []struct {
		cpu, memory int
		want        bool
	}{
		{256, 2048, true}, {256, 4096, false}, {512, 4096, true}, {1024, 1024, false}, {1024, 8192, true}, {2048, 16384, true},
		{4096, 30720, true}, {8192, 17408, false}, {8192, 20480, true}, {16384, 122880, true}, {32768, 249856, true}, {32768, 65536, false}, {128, 512, false},
	} {
		if got := fargateSize(test.cpu, test.memory); got != test.want {
			t.Errorf("%d CPU with %d MiB: %v", test.cpu, test.memory, got)
		}
	}
}
