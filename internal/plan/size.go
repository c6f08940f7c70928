package plan

import (
	"fmt"

	"ecs-fleet/internal/fleet"
)

// fargateSizes are the memory sizes, in MiB, that Fargate has for a task's CPU:
// from the first to the last in steps, and no others. AWS has added rows
// before, so what is not here is a warning and no mistake.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
var fargateSizes = map[int]struct{ from, to, step int }{
	512:   {1 << 10, 4 << 10, 1 << 10},
	1024:  {2 << 10, 8 << 10, 1 << 10},
	2048:  {4 << 10, 16 << 10, 1 << 10},
	4096:  {8 << 10, 30 << 10, 1 << 10},
	8192:  {16 << 10, 60 << 10, 4 << 10},
	16384: {32 << 10, 120 << 10, 8 << 10},
}

// fargateExceptions are the rows that have no step.
var fargateExceptions = map[int][]int{
	256:   {512, 1 << 10, 2 << 10},
	32768: {60 << 10, 120 << 10, 244 << 10},
}

// oddSize warns of a task size that Fargate does not have, as far as is known
// here. A size that the run does not ask for is none of its business.
func oddSize(d fleet.Draft) []string {
	if d.Size == (fleet.Size{}) || !d.Base.Fargate {
		return nil
	}
	size := d.Size.Over(d.Base.Size)
	for _, memory := range fargateExceptions[size.CPU] {
		if memory == size.Memory {
			return nil
		}
	}
	if row, known := fargateSizes[size.CPU]; known && row.from <= size.Memory && size.Memory <= row.to && size.Memory%row.step == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s is none of the sizes that Fargate is known to have (task-cpu %d, task-memory %d): AWS may refuse the revision", size, size.CPU, size.Memory)}
}
