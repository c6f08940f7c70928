package plan

import "slices"

// Waves groups plans by wave, in rising order; the order inside a wave is kept.
func Waves(plans []Plan) [][]Plan {
	var waves [][]Plan
	sorted := slices.Clone(plans)
	slices.SortStableFunc(sorted, func(a, b Plan) int { return a.Wave - b.Wave })
	for i, p := range sorted {
		if i == 0 || sorted[i-1].Wave != p.Wave {
			waves = append(waves, nil)
		}
		waves[len(waves)-1] = append(waves[len(waves)-1], p)
	}
	return waves
}
