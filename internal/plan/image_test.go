package plan_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ecs-fleet/internal/fleet"
	"ecs-fleet/internal/plan"
)

const registry = "444455556666.dkr.ecr.us-east-1.amazonaws.com/"

func definition(images ...string) fleet.TaskDefinition {
	td := fleet.TaskDefinition{ARN: "arn:aws:ecs:us-east-1:444455556666:task-definition/rails:41", Family: "rails", Revision: 41, Status: "ACTIVE"}
	for _, pair := range images {
		name, image, _ := strings.Cut(pair, "=")
		td.Containers = append(td.Containers, fleet.Container{Name: name, Image: image})
	}
	return td
}

func TestWhichContainerGetsWhichImage(t *testing.T) {
	one := definition("app=" + registry + "rails:v1")
	two := definition("app="+registry+"rails:v1", "proxy="+registry+"nginx:v1")
	tests := []struct {
		name  string
		ask   plan.Images
		spec  fleet.ServiceSpec
		td    fleet.TaskDefinition
		want  map[string]string
		wrong string
	}{
		{name: "the only container gets the tag and keeps its repository", ask: plan.Images{Tag: "v2"}, td: one, want: map[string]string{"app": registry + "rails:v2"}},
		{name: "a digest stands behind an @", ask: plan.Images{Tag: "sha256:abc"}, td: one, want: map[string]string{"app": registry + "rails@sha256:abc"}},
		{name: "a tag replaces a digest", ask: plan.Images{Tag: "v2"}, td: definition("app=" + registry + "rails:v1@sha256:abc"), want: map[string]string{"app": registry + "rails:v2"}},
		{name: "a registry's port is no tag", ask: plan.Images{Tag: "v2"}, td: definition("app=localhost:5000/rails"), want: map[string]string{"app": "localhost:5000/rails:v2"}},
		{name: "the fleet file names the container", ask: plan.Images{Tag: "v2"}, spec: fleet.ServiceSpec{Containers: []string{"proxy"}}, td: two, want: map[string]string{"proxy": registry + "nginx:v2"}},
		{name: "the fleet file wins over the container input", ask: plan.Images{Tag: "v2", Containers: []string{"app"}}, spec: fleet.ServiceSpec{Containers: []string{"proxy"}}, td: two, want: map[string]string{"proxy": registry + "nginx:v2"}},
		{name: "the container input decides where there are several", ask: plan.Images{Tag: "v2", Containers: []string{"app", "elsewhere"}}, td: two, want: map[string]string{"app": registry + "rails:v2"}},
		{name: "a reference goes to the containers of its repository", ask: plan.Images{Reference: registry + "rails:v2"}, td: two, want: map[string]string{"app": registry + "rails:v2"}},
		{name: "a reference replaces the only container's repository", ask: plan.Images{Reference: "example.com/other:v2"}, td: one, want: map[string]string{"app": "example.com/other:v2"}},
		{name: "the fleet file's image gives the repository of a tag", ask: plan.Images{Tag: "v2"}, spec: fleet.ServiceSpec{Image: registry + "rails"}, td: two, want: map[string]string{"app": registry + "rails:v2"}},
		{name: "the fleet file's image with a tag is taken where no input gives one", spec: fleet.ServiceSpec{Image: registry + "rails:v9"}, td: one, want: map[string]string{"app": registry + "rails:v9"}},
		{name: "a reference without a tag is a reference, too", ask: plan.Images{Reference: "nginx"}, td: one, want: map[string]string{"app": "nginx"}},
		{name: "a reference without a tag selects by its repository", ask: plan.Images{Reference: "nginx"}, td: definition("app=rails:v1", "proxy=nginx:1.28"), want: map[string]string{"proxy": "nginx"}},
		{name: "the images input differs by container", ask: plan.Images{ByContainer: []plan.ContainerImage{{"app", "v2"}, {"proxy", "example.com/nginx:v3"}, {"absent", "v4"}}}, td: two, want: map[string]string{"app": registry + "rails:v2", "proxy": "example.com/nginx:v3"}},
		{name: "the images input wins over the tag", ask: plan.Images{Tag: "v2", ByContainer: []plan.ContainerImage{{"app", "sha256:abc"}}}, td: one, want: map[string]string{"app": registry + "rails@sha256:abc"}},
		{name: "a tag for all, and an images line that says what this service gets", ask: plan.Images{Tag: "v2", ByContainer: []plan.ContainerImage{{"app", "v3"}}}, td: two, want: map[string]string{"app": registry + "rails:v3"}},
		{name: "nothing is asked for", td: two, want: nil},
		{name: "several containers and no rule", ask: plan.Images{Tag: "v2"}, td: two, wrong: "which container gets the image is not clear: task definition rails:41 has containers app, proxy; name one with container, in the fleet file or as an input"},
		{name: "a container that is not there", ask: plan.Images{Tag: "v2"}, spec: fleet.ServiceSpec{Containers: []string{"web"}}, td: two, wrong: `container "web" is not in task definition rails:41, which has containers app, proxy`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.ask.Edits(tt.spec, tt.td)
			wrong := ""
			if err != nil {
				wrong = err.Error()
			}
			if wrong != tt.wrong {
				t.Errorf("error %q, want %q", wrong, tt.wrong)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("edits (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMisspeltContainersAreTold(t *testing.T) {
	ask := plan.Images{ByContainer: []plan.ContainerImage{{"app", "v2"}, {"ap", "v2"}}, Containers: []string{"proxy", "prox"}}
	got := ask.Unmatched([]fleet.TaskDefinition{definition("app=a:1"), definition("proxy=b:1")})
	want := []string{
		`input images: no selected service has a container "ap"; there are app, proxy`,
		`input container: no selected service has a container "prox"; there are app, proxy`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("unmatched (-want +got):\n%s", diff)
	}
}

func FuzzApply(f *testing.F) {
	for _, image := range []string{"rails", "localhost:5000/a/rails:v1@sha256:abc", "::@@//", ""} {
		f.Add(image, "v2")
		f.Add(image, "sha256:abc")
	}
	f.Fuzz(func(t *testing.T, image, tag string) {
		repository := plan.Repository(image)
		if !strings.HasPrefix(image, repository) {
			t.Fatalf("Repository(%q) = %q is no beginning of it", image, repository)
		}
		if plan.Repository(repository) != repository && strings.Count(image, ":") < 2 {
			t.Fatalf("Repository(%q) = %q is not a repository itself", image, repository)
		}
		if tag == "" || strings.ContainsAny(tag, "/:@") {
			return
		}
		if got := plan.Tag(plan.Apply(image, tag)); got != tag {
			t.Fatalf("Tag(Apply(%q, %q)) = %q", image, tag, got)
		}
	})
}
