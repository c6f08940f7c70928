package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ecs-fleet/internal/fleet"
)

// Images is what a run asks of the containers' images. The zero value asks for
// nothing.
type Images struct {
	Tag         string           // a tag, or a digest "sha256:…"; the repositories stay
	Reference   string           // a whole reference
	ByContainer []ContainerImage // where containers differ; wins over the two above
	Containers  []string         // names that the container input gives
}

// ContainerImage is one line of the images input. A Value that holds "/", ":"
// or "@" is a reference (a bare "sha256:…" a digest), else a tag.
type ContainerImage struct{ Container, Value string }

// Edits are the images that a service's containers are to have: container name
// to reference, for the selected containers alone. Nil without an error: the
// run asks nothing of this service's images.
//
// Which container gets the tag (the first rule that applies): the ones that
// the fleet file names; those of the container input that exist here; the only
// container; all whose repository is that of the wanted reference.
func (im Images) Edits(spec fleet.ServiceSpec, td fleet.TaskDefinition) (map[string]string, error) {
	edits := make(map[string]string)
	if want := im.wanted(spec); want != "" {
		selected, err := im.selectContainers(spec, td, want)
		if err != nil {
			return nil, err
		}
		for _, c := range selected {
			edits[c.Name] = want
			if im.Reference == "" { // which may look like a tag: "nginx"
				edits[c.Name] = Apply(c.Image, want)
			}
		}
	}
	for _, line := range im.ByContainer {
		for _, c := range td.Containers {
			if c.Name == line.Container {
				edits[c.Name] = Apply(c.Image, line.Value)
			}
		}
	}
	if len(edits) == 0 {
		return nil, nil
	}
	return edits, nil
}

// wanted is the one value for all selected containers: a reference, a tag or a
// digest. The fleet file's image gives the repository, or everything where the
// inputs give nothing.
func (im Images) wanted(spec fleet.ServiceSpec) string {
	switch {
	case im.Reference != "":
		return im.Reference
	case im.Tag != "" && spec.Image != "":
		return Apply(spec.Image, im.Tag)
	case im.Tag != "":
		return im.Tag
	case Tag(spec.Image) != "":
		return spec.Image
	}
	return ""
}

func (im Images) selectContainers(spec fleet.ServiceSpec, td fleet.TaskDefinition, want string) ([]fleet.Container, error) {
	if len(spec.Containers) > 0 {
		var found []fleet.Container
		for _, name := range spec.Containers {
			i := slices.IndexFunc(td.Containers, func(c fleet.Container) bool { return c.Name == name })
			if i < 0 {
				return nil, fmt.Errorf("container %q is not in task definition %s, which has %s", name, td.ARN.Name(), containerNames(td))
			}
			found = append(found, td.Containers[i])
		}
		return found, nil
	}
	if named := pick(td, func(c fleet.Container) bool { return slices.Contains(im.Containers, c.Name) }); len(named) > 0 {
		return named, nil
	}
	if len(td.Containers) == 1 {
		return td.Containers, nil
	}
	if im.Reference != "" || isReference(want) {
		if same := pick(td, func(c fleet.Container) bool { return Repository(c.Image) == Repository(want) }); len(same) > 0 {
			return same, nil
		}
	}
	if len(im.ByContainer) > 0 && slices.ContainsFunc(td.Containers, func(c fleet.Container) bool { return im.names(c.Name) }) {
		return nil, nil // the images input says what this service gets
	}
	return nil, fmt.Errorf("which container gets the image is not clear: task definition %s has %s; name one with container, in the fleet file or as an input", td.ARN.Name(), containerNames(td))
}

func (im Images) names(container string) bool {
	return slices.ContainsFunc(im.ByContainer, func(l ContainerImage) bool { return l.Container == container })
}

// Unmatched are the containers that the images and container inputs name and
// no task definition has: misspelt, most likely.
func (im Images) Unmatched(tds []fleet.TaskDefinition) []string {
	known := make(map[string]bool)
	for _, td := range tds {
		for _, c := range td.Containers {
			known[c.Name] = true
		}
	}
	var unmatched []string
	for _, l := range im.ByContainer {
		if !known[l.Container] {
			unmatched = append(unmatched, fmt.Sprintf("input images: no selected service has a container %q; there are %s", l.Container, list(known)))
		}
	}
	for _, name := range im.Containers {
		if !known[name] {
			unmatched = append(unmatched, fmt.Sprintf("input container: no selected service has a container %q; there are %s", name, list(known)))
		}
	}
	return unmatched
}

func list(set map[string]bool) string { return strings.Join(slices.Sorted(maps.Keys(set)), ", ") }

func pick(td fleet.TaskDefinition, want func(fleet.Container) bool) []fleet.Container {
	var found []fleet.Container
	for _, c := range td.Containers {
		if want(c) {
			found = append(found, c)
		}
	}
	return found
}

func containerNames(td fleet.TaskDefinition) string {
	names := make([]string, len(td.Containers))
	for i, c := range td.Containers {
		names[i] = c.Name
	}
	return "containers " + strings.Join(names, ", ")
}

// Apply puts a value (a reference, a tag or a digest) on an image.
func Apply(image, value string) string {
	switch {
	case isDigest(value):
		return Repository(image) + "@" + value
	case isReference(value):
		return value
	default:
		return Repository(image) + ":" + value
	}
}

func isDigest(s string) bool { return strings.HasPrefix(s, "sha256:") && !strings.Contains(s, "/") }

func isReference(s string) bool { return !isDigest(s) && strings.ContainsAny(s, "/:@") }

// Repository is an image reference without its tag and digest.
func Repository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	// A colon before the last slash belongs to the registry's port.
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		return image[:i]
	}
	return image
}

// Tag is the tag of an image reference, or its digest ("sha256:…") where it
// has one. Empty: neither, which a registry reads as "latest".
func Tag(image string) string {
	rest := image[len(Repository(image)):]
	if _, digest, found := strings.Cut(rest, "@"); found {
		return digest
	}
	return strings.TrimPrefix(rest, ":")
}
