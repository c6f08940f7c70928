package sim

import "slices"

// check says what ECS would refuse to register. Limits:
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
func (d definition) check(text []byte) error {
	switch {
	case d.Family == "":
		return fault("ClientException", "Family can not be blank.")
	case !nameOK(d.Family):
		return fault("ClientException", "Family contains invalid characters.")
	case len(text) > 64<<10:
		return fault("ClientException", "Actual length: '%d'. Max allowed length is '65536' bytes.", len(text))
	case len(d.Containers) == 0:
		return fault("ClientException", "Container list cannot be empty.")
	case len(d.Containers) > 10:
		return fault("ClientException", "Task definition has too many containers: %d. The maximum is 10.", len(d.Containers))
	case len(d.Tags) > 50:
		return fault("InvalidParameterException", "Too many tags: %d. The maximum is 50.", len(d.Tags))
	case !slices.Contains([]string{"", "none", "bridge", "awsvpc", "host"}, d.NetworkMode):
		return fault("ClientException", "Invalid network mode %q.", d.NetworkMode)
	}
	if err := d.checkContainers(); err != nil {
		return err
	}
	if err := spelling(text); err != nil {
		return err
	}
	if slices.Contains(d.Requires, "FARGATE") {
		return d.checkFargate()
	}
	return nil
}

func (d definition) checkContainers() error {
	seen := map[string]bool{}
	essential := false
	for _, c := range d.Containers {
		switch {
		case !nameOK(c.Name):
			return fault("ClientException", "Container.name contains invalid characters.")
		case c.Image == "":
			return fault("ClientException", "Container.image should not be null or empty.")
		case seen[c.Name]:
			return fault("ClientException", "Container names must be unique: '%s' is used more than once.", c.Name)
		case d.Memory == "" && c.Memory == 0 && c.Reservation == 0:
			return fault("ClientException", "Invalid setting for container '%s'. At least one of 'memory' or 'memoryReservation' must be specified.", c.Name)
		}
		seen[c.Name] = true
		essential = essential || c.Essential == nil || *c.Essential
	}
	if !essential {
		return fault("ClientException", "Invalid container definition: at least one container must be essential.")
	}
	return nil
}

// spelling refuses what encoding/json lets through and ECS does not: names of
// members are case-sensitive ("Name" is not "name").
func spelling(text []byte) error {
	containers, _ := object(text)["containerDefinitions"].([]any)
	for _, c := range containers {
		c, _ := c.(map[string]any)
		switch {
		case c["name"] == nil:
			return fault("ClientException", "Container.name contains invalid characters.")
		case c["image"] == nil:
			return fault("ClientException", "Container.image should not be null or empty.")
		}
	}
	return nil
}

func (d definition) checkFargate() error {
	cpu, memory := units(d.CPU, "vcpu"), units(d.Memory, "gb")
	switch {
	case d.CPU == "":
		return fault("ClientException", "Fargate requires that 'cpu' be defined at the task level.")
	case d.Memory == "":
		return fault("ClientException", "Fargate requires that 'memory' be defined at the task level.")
	case d.NetworkMode != "awsvpc":
		return fault("ClientException", "Fargate only supports network mode 'awsvpc'.")
	case !fargateSize(cpu, memory):
		return fault("ClientException", "No Fargate configuration exists for given values: %d CPU, %d memory. See the Amazon ECS documentation for the valid values.", cpu, memory)
	}
	return nil
}

// fargateSize knows the sizes of
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
func fargateSize(cpu, memory int) bool {
	steps := func(from, to, step int) bool { return memory >= from && memory <= to && (memory-from)%step == 0 }
	switch cpu {
	case 256:
		return memory == 512 || memory == 1024 || memory == 2048
	case 512:
		return steps(1024, 4096, 1024)
	case 1024:
		return steps(2048, 8192, 1024)
	case 2048:
		return steps(4096, 16384, 1024)
	case 4096:
		return steps(8192, 30720, 1024)
	case 8192:
		return steps(16384, 61440, 4096)
	case 16384:
		return steps(32768, 122880, 8192)
	case 32768:
		return memory == 61440 || memory == 122880 || memory == 249856
	}
	return false
}

// nameOK is ECS's rule for families, clusters, services and containers.
func nameOK(s string) bool {
	if s == "" || len(s) > 255 {
		return false
	}
	for _, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && !(r >= '0' && r <= '9') && r != '-' && r != '_' {
			return false
		}
	}
	return true
}
