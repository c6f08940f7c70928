package sim

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// ecrAPI is Amazon Elastic Container Registry, as far as one looks images up.
func ecrAPI() api {
	return api{name: "ecr", target: "AmazonEC2ContainerRegistry_V20150921", actions: map[string]action{
		"DescribeImages": {bucket: "ecr:DescribeImages", do: describeImages},
		"BatchGetImage":  {bucket: "ecr:BatchGetImage", do: batchGetImage},
		"PutImage":       {bucket: "ecr:PutImage", do: putImage},
	}}
}

// ecrImage is a reference into a registry of AWS:
// 111122223333.dkr.ecr.eu-west-1.amazonaws.com/rails:v1 or …@sha256:….
type ecrImage struct{ account, region, repository, tag, digest string }

func parseECR(reference string) (ecrImage, bool) {
	host, rest, _ := strings.Cut(reference, "/")
	parts := strings.Split(host, ".")
	if len(parts) < 6 || parts[1] != "dkr" || parts[2] != "ecr" || parts[4] != "amazonaws" {
		return ecrImage{}, false
	}
	image := ecrImage{account: parts[0], region: parts[3], tag: "latest"}
	rest, image.digest, _ = strings.Cut(rest, "@")
	var tagged bool
	if image.repository, rest, tagged = strings.Cut(rest, ":"); tagged {
		image.tag = rest
	}
	return image, true
}

// digest is what a reference's tag points to now; empty: there is no such
// image.
func (r *region) digest(reference string) string {
	image, ok := parseECR(reference)
	if !ok {
		if _, digest, pinned := strings.Cut(reference, "@"); pinned {
			return digest
		}
		return digestOf(reference)
	}
	tags, ok := r.aws.regionOf(image.account, image.region).tags(image.repository)
	switch {
	case ok && tags == nil:
		if image.digest != "" {
			return image.digest
		}
		return digestOf(reference)
	case image.digest == "":
		return tags[image.tag]
	}
	for _, d := range tags {
		if d == image.digest {
			return d
		}
	}
	return ""
}

func (r *region) hasImage(reference string) bool { return r.digest(reference) != "" }

// tags are a repository's. Nil and true: the world lists no repositories, so
// that everything exists.
func (r *region) tags(repository string) (map[string]string, bool) {
	if r.repositories == nil {
		return nil, true
	}
	tags, ok := r.repositories[repository]
	return tags, ok
}

// digestOf makes a digest for an image that the world does not list.
func digestOf(reference string) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(reference)))
}

type imageID struct {
	Tag    string `json:"imageTag,omitempty"`
	Digest string `json:"imageDigest,omitempty"`
}

type imageRequest struct {
	Registry   string    `json:"registryId"`
	Repository string    `json:"repositoryName"`
	IDs        []imageID `json:"imageIds"`
}

// imageRequest reads and checks a request, and finds the repository's tags.
func (c *call) imageRequest() (in imageRequest, tags map[string]string, err error) {
	if err := c.decode(&in); err != nil {
		return in, nil, err
	}
	if in.Registry == "" {
		in.Registry = c.caller.account
	}
	switch {
	case in.Repository == "":
		return in, nil, fault("InvalidParameterException", "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must not be null'")
	case len(in.IDs) > 100:
		return in, nil, fault("InvalidParameterException", "Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have length less than or equal to 100'")
	}
	tags, ok := c.regionOf(in.Registry, c.region.name).tags(in.Repository)
	if !ok {
		return in, nil, fault("RepositoryNotFoundException", "The repository with name '%s' does not exist in the registry with id '%s'", in.Repository, in.Registry)
	}
	return in, tags, nil
}

// find completes an image id; false: there is no such image.
func (in imageRequest) find(id imageID, tags map[string]string, region string) (imageID, bool) {
	switch {
	case tags == nil && id.Digest == "":
		id.Digest = digestOf(in.Registry + ".dkr.ecr." + region + ".amazonaws.com/" + in.Repository + ":" + id.Tag)
		return id, true
	case tags == nil:
		return id, true
	case id.Digest == "":
		id.Digest = tags[id.Tag]
		return id, id.Digest != ""
	}
	for _, d := range tags {
		if d == id.Digest {
			return id, true
		}
	}
	return id, false
}

// describeImages fails as a whole when one of the images is missing, as ECR
// does.
func describeImages(c *call) (any, error) {
	in, tags, err := c.imageRequest()
	if err != nil {
		return nil, err
	}
	if len(in.IDs) == 0 {
		for _, t := range sortedKeys(tags) {
			in.IDs = append(in.IDs, imageID{Tag: t})
		}
	}
	details := []any{}
	for _, id := range in.IDs {
		found, ok := in.find(id, tags, c.region.name)
		if !ok {
			return nil, fault("ImageNotFoundException",
				"The image with imageId {imageDigest:'%s', imageTag:'%s'} does not exist within the repository with name '%s' in the registry with id '%s'",
				orNull(id.Digest), orNull(id.Tag), in.Repository, in.Registry)
		}
		details = append(details, map[string]any{
			"registryId": in.Registry, "repositoryName": in.Repository, "imageDigest": found.Digest,
			"imageTags": tagsWith(found, tags), "imageSizeInBytes": 100 << 20, "imagePushedAt": stamp(c.world.Start.AddDate(0, 0, -1)),
			"imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
		})
	}
	return map[string]any{"imageDetails": details}, nil
}

func orNull(s string) string {
	if s == "" {
		return "null"
	}
	return s
}

// tagsWith are all tags of an image.
func tagsWith(id imageID, tags map[string]string) []string {
	var all []string
	for _, t := range sortedKeys(tags) {
		if tags[t] == id.Digest {
			all = append(all, t)
		}
	}
	if id.Tag != "" && !slices.Contains(all, id.Tag) {
		all = append(all, id.Tag)
	}
	return append([]string{}, all...)
}

// batchGetImage answers with what it finds, and lists the rest as failures.
func batchGetImage(c *call) (any, error) {
	in, tags, err := c.imageRequest()
	if err != nil {
		return nil, err
	}
	images, failures := []any{}, []any{}
	for _, id := range in.IDs {
		found, ok := in.find(id, tags, c.region.name)
		if !ok {
			failures = append(failures, map[string]any{"imageId": id, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"})
			continue
		}
		images = append(images, map[string]any{
			"registryId": in.Registry, "repositoryName": in.Repository, "imageId": found,
			"imageManifest": "{}", "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
		})
	}
	return map[string]any{"images": images, "failures": failures}, nil
}

// putImage points a tag of a listed repository to a manifest, as the last
// request of a push does: a tag that exists moves. The digest is the manifest's.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html
func putImage(c *call) (any, error) {
	in, tags, err := c.imageRequest()
	if err != nil {
		return nil, err
	}
	var image struct {
		Tag      string `json:"imageTag"`
		Manifest string `json:"imageManifest"`
	}
	if err := c.decode(&image); err != nil {
		return nil, err
	}
	if image.Manifest == "" {
		return nil, fault("InvalidParameterException", "Invalid parameter at 'imageManifest' failed to satisfy constraint: 'must not be null'")
	}
	id := imageID{Tag: image.Tag, Digest: digestOf(image.Manifest)}
	switch {
	case tags != nil && tags[id.Tag] == id.Digest:
		return nil, fault("ImageAlreadyExistsException", "Image with digest '%s' and tag '%s' already exists in the repository with name '%s' in registry with id '%s'",
			id.Digest, id.Tag, in.Repository, in.Registry)
	case tags != nil && id.Tag != "":
		tags[id.Tag] = id.Digest
	}
	return map[string]any{"image": map[string]any{
		"registryId": in.Registry, "repositoryName": in.Repository, "imageId": id, "imageManifest": image.Manifest,
	}}, nil
}
