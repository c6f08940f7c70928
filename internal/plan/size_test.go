package plan

import (
	"testing"

	"ecs-fleet/internal/fleet"
)

func TestOddSizesAreWarnedOf(t *testing.T) {
	for name, c := range map[string]struct {
		size, base fleet.Size
		ec2        bool
		odd        bool
	}{
		"8 vCPU and 16 GB":                       {size: fleet.Size{CPU: 8192, Memory: 16384}},
		"the largest":                            {size: fleet.Size{CPU: 32768, Memory: 249856}},
		"the smallest":                           {size: fleet.Size{CPU: 256, Memory: 512}},
		"a step between":                         {size: fleet.Size{CPU: 8192, Memory: 17408}, odd: true},
		"too little memory":                      {size: fleet.Size{CPU: 4096, Memory: 4096}, odd: true},
		"more CPU with the memory that there is": {size: fleet.Size{CPU: 8192}, base: fleet.Size{CPU: 4096, Memory: 8192}, odd: true},
		"more memory with the CPU that there is": {size: fleet.Size{Memory: 16384}, base: fleet.Size{CPU: 4096, Memory: 8192}},
		"a CPU that nobody has heard of":         {size: fleet.Size{CPU: 65536, Memory: 249856}, odd: true},
		"not on Fargate":                         {size: fleet.Size{CPU: 3000, Memory: 3000}, ec2: true},
		"not asked for":                          {base: fleet.Size{CPU: 3000, Memory: 3000}},
	} {
		t.Run(name, func(t *testing.T) {
			got := oddSize(fleet.Draft{Size: c.size, Base: fleet.TaskDefinition{Size: c.base, Fargate: !c.ec2}})
			if (len(got) > 0) != c.odd {
				t.Errorf("%q", got)
			}
		})
	}
}
