/* Intrusive doubly linked list, circular, with a sentinel. The owner of the head is the only writer. */
#pragma once

#include <stdbool.h>

#include "base/build.h"

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_add_tail(struct list *head, struct list *e)
{
	e->prev = head->prev;
	e->next = head;
	head->prev->next = e;
	head->prev = e;
}

/* Safe on an element that is in no list (after list_init or list_del). */
static inline void list_del(struct list *e)
{
	e->prev->next = e->next;
	e->next->prev = e->prev;
	e->next = e->prev = e;
}

#define list_each(e, head) for (struct list *e = (head)->next; e != (head); e = e->next)
/* The body may remove e. */
#define list_each_safe(e, head) \
	for (struct list *e = (head)->next, *e##_next = e->next; e != (head); e = e##_next, e##_next = e->next)
#define list_entry(e, type, m) container_of(e, type, m)
