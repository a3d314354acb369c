package main

import (
	"cmp"
	"slices"
)

// percentile returns the smallest value of sorted that at least p percent of
// the values do not exceed (nearest rank). It returns the zero value if there
// are no values.
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

// median returns the middle value. For an even number of values it is the lower
// one of the two in the middle.
func median[T cmp.Ordered](values []T) T {
	return percentile(slices.Sorted(slices.Values(values)), 50)
}

// medianOf returns the median of the values that get returns for the items.
func medianOf[T any, V cmp.Ordered](items []T, get func(T) V) V {
	values := make([]V, len(items))
	for i, item := range items {
		values[i] = get(item)
	}
	return median(values)
}
