package memstore

import "container/heap"

// place is the position of an item in a queue.
type place struct {
	at    int64 // the time by which the queue is ordered, in milliseconds since 1970
	index int   // the item's index in the heap
}

func (p *place) where() *place { return p }

// queue is a heap with the earliest item first. Each item records its position,
// so that the queue can move or remove it.
type queue[T interface{ where() *place }] []T

func (q queue[T]) Len() int           { return len(q) }
func (q queue[T]) Less(i, j int) bool { return q[i].where().at < q[j].where().at }

func (q queue[T]) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].where().index, q[j].where().index = i, j
}

// Push adds the item x at the end, for package heap.
func (q *queue[T]) Push(x any) {
	item := x.(T)
	item.where().index = len(*q)
	*q = append(*q, item)
}

// Pop removes the last item and returns it, for package heap.
func (q *queue[T]) Pop() any {
	last := len(*q) - 1
	item := (*q)[last]
	var none T
	(*q)[last] = none
	*q = (*q)[:last]
	return item
}

func (q *queue[T]) add(item T, at int64) {
	item.where().at = at
	heap.Push(q, item)
}

func (q *queue[T]) move(item T, at int64) {
	item.where().at = at
	heap.Fix(q, item.where().index)
}

func (q *queue[T]) remove(item T) { heap.Remove(q, item.where().index) }
