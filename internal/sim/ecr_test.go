package sim

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

func TestDigestOfAReference(t *testing.T) {
	a, err := New(rails(nil))
	if err != nil {
		t.Fatal(err)
	}
	here := a.regionOf(account, ireland)
	const registry = account + ".dkr.ecr." + ireland + ".amazonaws.com/"
	for _, test := range []struct{ name, reference, want string }{
		{"a tag", registry + "rails:v2", "sha256:2222"},
		{"a tag that is not there", registry + "rails:v9", ""},
		{"no tag is latest, which is not there", registry + "rails", ""},
		{"a digest", registry + "rails@sha256:3333", "sha256:3333"},
		{"a digest that is not there", registry + "rails@sha256:9999", ""},
		{"a tag and a digest: the digest counts", registry + "rails:v9@sha256:3333", "sha256:3333"},
		{"a repository that is not there", registry + "nothing:v1", ""},
		{"a Region that lists no repositories has all", account + ".dkr.ecr.us-east-1.amazonaws.com/rails@sha256:5", "sha256:5"},
		{"another registry has all", "docker.io/library/nginx@sha256:6", "sha256:6"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := here.digest(test.reference); got != test.want {
				t.Errorf("%s: %q, not %q", test.reference, got, test.want)
			}
		})
	}
	if here.digest("nginx:1") == "" || here.digest("nginx:1") == here.digest("nginx:2") {
		t.Error("images elsewhere exist, each with a digest of its own")
	}
}

func TestImagesOfARepository(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, rails(nil))
		all := c.must("ecr:DescribeImages", js{"repositoryName": "rails"})
		if got := len(at[[]any](t, all, "imageDetails")); got != 3 {
			t.Errorf("there are %d images", got)
		}
		one := c.must("ecr:DescribeImages", js{"repositoryName": "rails", "registryId": account, "imageIds": []any{js{"imageDigest": "sha256:2222"}}})
		if diff := cmp.Diff([]any{"v2"}, at[any](t, one, "imageDetails", 0, "imageTags")); diff != "" {
			t.Errorf("tags (-want +got):\n%s", diff)
		}
		some := c.must("ecr:BatchGetImage", js{"repositoryName": "rails", "imageIds": []any{js{"imageTag": "v1"}, js{"imageTag": "v9"}}})
		if at[string](t, some, "images", 0, "imageId", "imageDigest") != "sha256:1111" || at[string](t, some, "failures", 0, "failureCode") != "ImageNotFound" {
			t.Errorf("%v", some)
		}
		if _, code := c.send("ecr:DescribeImages", js{"repositoryName": "rails", "registryId": "444455556666"}); code != "" {
			t.Errorf("an account that lists no repositories answered %q", code)
		}
	})
}

func TestAPushMovesATag(t *testing.T) {
	world := rails(nil)
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, world)
		push := js{"repositoryName": "rails", "imageTag": "v2", "imageManifest": `{"schemaVersion":2}`}
		made := at[string](t, c.must("ecr:PutImage", push), "image", "imageId", "imageDigest")
		shown := c.must("ecr:DescribeImages", js{"repositoryName": "rails", "imageIds": []any{js{"imageTag": "v2"}}})
		if got := at[string](t, shown, "imageDetails", 0, "imageDigest"); got != made || got == "sha256:2222" {
			t.Errorf("v2 is %s after a push of %s", got, made)
		}
		if _, code := c.send("ecr:PutImage", push); code != "ImageAlreadyExistsException" {
			t.Errorf("the same push again: %q", code)
		}
		if _, code := c.send("ecr:PutImage", js{"repositoryName": "rails", "imageTag": "v2"}); code != "InvalidParameterException" {
			t.Errorf("a push without a manifest: %q", code)
		}
		if _, code := c.send("ecr:PutImage", js{"repositoryName": "nothing", "imageManifest": "{}"}); code != "RepositoryNotFoundException" {
			t.Errorf("a push to no repository: %q", code)
		}
	})
	if r := world.Accounts[account].Regions[ireland].Repositories["rails"]["v2"]; r != "sha256:2222" {
		t.Errorf("the push changed the world's document: %s", r)
	}
}
