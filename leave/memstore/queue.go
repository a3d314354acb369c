package memstore

import "container/heap"

// place says where an item is in a queue.
type place struct {
	at    int64 // the item's time in milliseconds since 1970; the queue is ordered by this time
	index int   // the index of the item in the heap
}

func (p *place) where() *place { return p }

// queue is a heap whose first item has the earliest time. Each item knows its position,
// so that the queue can move or remove the item.
type queue[T interface{ where() *place }] []T

func (q queue[T]) Len() int           { return len(q) }
func (q queue[T]) Less(i, j int) bool { return q[i].where().at < q[j].where().at }

func (q queue[T]) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].where().index, q[j].where().index = i, j
}

// Push adds the item x at the end. It is for package heap.
func (q *queue[T]) Push(x any) {
	item := x.(T)
	item.where().index = len(*q)
	*q = append(*q, item)
}

// Pop removes the last item and returns it. It is for package heap.
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
