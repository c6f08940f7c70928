package cloud

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"ecs-fleet/internal/fleet"
)

// Image is an image of a private ECR registry.
type Image struct {
	Registry   fleet.AccountID
	Region     fleet.Region
	Repository string
	Tag        string // or a digest, "sha256:…"
}

// privateRegistry is the host of a private ECR registry.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
var privateRegistry = regexp.MustCompile(`^(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com|amazonaws\.com\.cn|on\.aws)/([^:@]+)(?::([^@]+))?(?:@(.+))?$`)

// ParseImage reads an image reference. It is false for an image of any other
// registry, which can only be checked by pulling it.
func ParseImage(reference string) (Image, bool) {
	m := privateRegistry.FindStringSubmatch(reference)
	if m == nil {
		return Image{}, false
	}
	image := Image{Registry: fleet.AccountID(m[1]), Region: fleet.Region(m[2]), Repository: m[3], Tag: m[4]}
	if m[5] != "" {
		image.Tag = m[5]
	}
	if image.Tag == "" {
		image.Tag = "latest"
	}
	return image, true
}

// Digest is the digest that the registry has for the image now. It returns a
// *MissingError that names the repository when there is no such image.
func (c *Client) Digest(ctx context.Context, image Image) (string, error) {
	id := types.ImageIdentifier{ImageTag: &image.Tag}
	if strings.HasPrefix(image.Tag, "sha256:") {
		id = types.ImageIdentifier{ImageDigest: &image.Tag}
	}
	out, err := c.ecrClient(image.Region).DescribeImages(ctx, &ecr.DescribeImagesInput{
		RegistryId: aws.String(string(image.Registry)), RepositoryName: &image.Repository, ImageIds: []types.ImageIdentifier{id},
	})
	repository := fmt.Sprintf("repository %q (registry %s, %s)", image.Repository, image.Registry, image.Region)
	var noRepository *types.RepositoryNotFoundException
	var noImage *types.ImageNotFoundException
	switch {
	case errors.As(err, &noRepository):
		return "", &MissingError{What: repository}
	case errors.As(err, &noImage):
		return "", &MissingError{What: fmt.Sprintf("image %q in %s", image.Tag, repository)}
	case err != nil:
		return "", wrap(err, "ecr:DescribeImages", repository)
	case len(out.ImageDetails) == 0:
		return "", &MissingError{What: fmt.Sprintf("image %q in %s", image.Tag, repository)}
	}
	return aws.ToString(out.ImageDetails[0].ImageDigest), nil
}
