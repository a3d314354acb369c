package main

import (
	"cmp"
	"slices"
)

// percentile returns the p-th percentile (nearest rank). This is the smallest
// element of sorted for which at least p percent of the elements are less than
// or equal to it. If there are no elements, percentile returns the zero value.
func percentile[T any](sorted []T, p float64) T {
	if len(sorted) == 0 {
		var zero T
		return zero
	}
	rank := int(p / 100 * float64(len(sorted)))
	if float64(rank) < p/100*float64(len(sorted)) {
		rank++
	}
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// median returns the middle value. If the number of values is even, median
// returns the lower of the two middle values.
func median[T cmp.Ordered](values []T) T {
	return percentile(slices.Sorted(slices.Values(values)), 50)
}

// medianOf calls get for each item, and returns the median of the results.
func medianOf[T any, V cmp.Ordered](items []T, get func(T) V) V {
	values := make([]V, len(items))
	for i, item := range items {
		values[i] = get(item)
	}
	return median(values)
}
