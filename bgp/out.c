/* Adj-RIB-Out: what has changed is evaluated in slices into a stage, grouped by set, and leaves from there as messages.
 * RFC 4271 9.1.3, 9.2.
 *
 *   journal, or a walk through the table -> evaluate(): differs from what was sent? -> stage -> out_pull()
 *
 * A peer evaluates again only when its stage is empty, so the latest best counts and nothing waits twice. A peer that falls
 * behind by more than the journal may hold walks through the table instead.
 */
#include "bgp/rib_core.h"

#include <stdlib.h>

#include "base/build.h"
#include "base/xalloc.h"
#include "bgp/stage.h"
#include "bgp/update.h"

enum {
	SLICE_ROWS = 4 * RIB_SLICE, /* looked at in a slice of a walk when little of it is to be sent */
	JOURNAL_MIN = 1 << 16,      /* entries that any peer may be behind */
	JOURNAL_V6 = 1u << 31,
};

/* --- who waits for what --- */

static bool has_more(const struct rib *r, const struct out *o)
{
	return o->todo || o->retry || (o->live && o->pos < r->journal.end);
}

/* Put the peer on the list where it belongs. */
static void enlist(struct rib *r, struct out *o)
{
	list_del(&o->link);
	if (o->stage)
		return;
	if (has_more(r, o))
		list_add_tail(&r->working, &o->link);
	else if (o->live)
		list_add_tail(&r->idle, &o->link);
}

static void wake_all(struct rib *r)
{
	while (!list_empty(&r->idle)) {
		struct list *e = r->idle.next;

		list_del(e);
		list_add_tail(&r->working, e);
	}
}

/* --- the journal --- */

/* Entries are out of the way for all readers, or for one: their nets must be entered again when they change. */
static void unmark(struct rib *r, uint64_t from, uint64_t to)
{
	for (; from < to; from++) {
		uint32_t v = journal_at(&r->journal, from), i = v & ~(uint32_t)JOURNAL_V6;
		struct net_table *t = v & JOURNAL_V6 ? &r->v6 : &r->v4;

		if (i <= t->rows.used)
			net_at(t, i)->flags &= (uint8_t)~NET_JOURNALED;
	}
}

static void trim(struct rib *r)
{
	struct journal *j = &r->journal;
	uint64_t min = j->end;

	for (uint32_t i = 0; i < r->n_peers; i++)
		if (r->peer[i] && r->peer[i]->out.live && r->peer[i]->out.pos < min)
			min = r->peer[i]->out.pos;
	if (min > j->read)
		unmark(r, j->read, min);
	journal_trim(j, min);
}

/* To the end of the journal without reading; a walk through the table follows. */
static void skip_journal(struct rib *r, struct out *o)
{
	struct journal *j = &r->journal;

	unmark(r, j->read, j->end);
	o->pos = j->read = j->end;
}

/* Those who are furthest behind walk instead of reading. */
static void drop_laggards(struct rib *r)
{
	for (uint32_t i = 0; i < r->n_peers; i++) {
		struct out *o = r->peer[i] ? &r->peer[i]->out : NULL;

		if (o && o->live && o->pos == r->journal.start) {
			skip_journal(r, o);
			out_again(r, r->peer[i], FAMILIES_ALL, false);
		}
	}
}

void out_changed(struct rib *r, struct net_table *t, uint32_t i)
{
	struct net *n = net_at(t, i);
	struct journal *j = &r->journal;

	if (r->n_live == 0 || n->flags & NET_JOURNALED)
		return;
	if (j->end - j->start >= JOURNAL_MIN && j->end - j->start >= 2ull * (r->v4.rows.live + r->v6.rows.live)) {
		drop_laggards(r);
		trim(r);
	}
	n->flags |= NET_JOURNALED;
	journal_add(j, t->family == IP_V6 ? i | JOURNAL_V6 : i);
	wake_all(r);
}

/* --- one prefix --- */

static uint32_t *find_sent(struct rib *r, struct net *n, uint16_t peer, uint16_t session)
{
	uint32_t *at = &n->out;

	while (*at) {
		const struct sent *s = rib_sent(r, *at);

		if (s->peer == peer && s->session == session)
			break;
		at = &rib_sent(r, *at)->next;
	}
	return at;
}

static void drop_sent(struct rib *r, uint32_t *at)
{
	uint32_t i = *at;

	intern_put(r->in, rib_sent(r, i)->set);
	*at = rib_sent(r, i)->next;
	slab_give(&r->sents, i);
	if (r->sents.live == 0)
		slab_reset(&r->sents);
}

static const struct bgp_attrs *wanted(struct rib *r, struct rib_peer *p, const struct net *n,
				      const struct ip_prefix *prefix)
{
	const struct path *b = n->path ? rib_path(r, n->path) : NULL;

	return export_set(r, p, prefix, b && (b->peer == RIB_LOCAL || n->n_best) ? b : NULL);
}

/* Stage what the peer must hear of net i. again: also when it knows. */
static void evaluate(struct rib *r, struct rib_peer *p, struct net_table *t, uint32_t i, bool again)
{
	struct net *n = net_at(t, i);
	struct ip_prefix prefix = net_prefix(t, n);
	struct out *o = &p->out;
	const struct bgp_attrs *set;
	uint32_t *at;

	/* in force, and dead: the sweep, or the peer's new session, is about to say what follows */
	if (n->n_best && !path_alive(r, rib_path(r, n->path)))
		return;
	set = wanted(r, p, n, &prefix);
	at = find_sent(r, n, (uint16_t)p->index, p->session);
	if (set && p->s.max_prefix_out && o->count - (*at != 0) >= p->s.max_prefix_out) {
		o->limited = true;
		intern_put(r->in, set);
		set = NULL;
	}
	if (!set && *at) {
		drop_sent(r, at);
		o->count--;
		o->retry |= o->limited;
		stage_add(o->stage, r->in, NULL, &prefix);
	} else if (set && *at) {
		struct sent *s = rib_sent(r, *at);

		if (s->set != set || again)
			stage_add(o->stage, r->in, intern_ref(set), &prefix);
		intern_put(r->in, s->set);
		s->set = set;
	} else if (set) {
		uint32_t k = slab_take(&r->sents);

		*rib_sent(r, k) =
			(struct sent){.set = set, .next = n->out, .peer = (uint16_t)p->index, .session = p->session};
		n->out = k;
		o->count++;
		stage_add(o->stage, r->in, intern_ref(set), &prefix);
	}
	net_drop(t, i);
}

/* --- slices --- */

static bool negotiated(const struct rib_peer *p, uint8_t family)
{
	return family == IP_V6 ? p->s.codec.mp_v6 : p->s.codec.mp_v4;
}

static uint8_t families(const struct rib_peer *p)
{
	return (uint8_t)((p->s.codec.mp_v4 ? FAMILY_V4 : 0) | (p->s.codec.mp_v6 ? FAMILY_V6 : 0));
}

/* A slice of the walk through the lowest family of todo. */
static void walk(struct rib *r, struct rib_peer *p)
{
	struct out *o = &p->out;
	uint8_t bit = o->todo & FAMILY_V4 ? FAMILY_V4 : FAMILY_V6;
	struct net_table *t = rib_table(r, bit == FAMILY_V4 ? IP_V4 : IP_V6);

	for (unsigned k = 0; k < SLICE_ROWS && !stage_full(o->stage); k++) {
		if (o->at >= t->rows.used) {
			o->todo &= (uint8_t)~bit;
			o->force &= (uint8_t)~bit;
			o->at = 0;
			return;
		}
		if (net_live(t, ++o->at))
			evaluate(r, p, t, o->at, o->force & bit);
	}
}

static void read_journal(struct rib *r, struct rib_peer *p)
{
	struct out *o = &p->out;
	struct journal *j = &r->journal;
	bool last = o->pos == j->start;

	for (unsigned k = 0; k < SLICE_ROWS && o->pos < j->end && !stage_full(o->stage); k++) {
		uint32_t v = journal_at(j, o->pos++), i = v & ~(uint32_t)JOURNAL_V6;
		struct net_table *t = v & JOURNAL_V6 ? &r->v6 : &r->v4;

		if (o->pos > j->read) {
			j->read = o->pos;
			if (i <= t->rows.used)
				net_at(t, i)->flags &= (uint8_t)~NET_JOURNALED;
		}
		if (negotiated(p, t->family) && net_live(t, i))
			evaluate(r, p, t, i, false);
	}
	if (last)
		trim(r);
}

/* The walk over, nothing to be exported: no need to hear of changes. */
static void settle_down(struct rib *r, struct rib_peer *p)
{
	struct out *o = &p->out;

	if (o->live && !o->todo && !p->export && !p->s.default_originate && o->count == 0) {
		o->live = false;
		r->n_live--;
		trim(r);
	}
}

/* An empty stage serves the next peer. */
static void give_stage(struct rib *r, struct out *o)
{
	if (r->spare)
		stage_free(o->stage);
	else
		r->spare = o->stage;
	o->stage = NULL;
}

/* Evaluate one slice. true: something is staged. */
static bool fill(struct rib *r, struct rib_peer *p)
{
	struct out *o = &p->out;

	o->stage = r->spare ? r->spare : stage_new();
	r->spare = NULL;
	if (!o->todo && o->retry) {
		/* the limit has room again for what was kept back */
		o->retry = o->limited = false;
		o->todo = families(p);
		o->at = 0;
	}
	if (o->todo)
		walk(r, p);
	else
		read_journal(r, p);
	settle_down(r, p);
	if (!stage_empty(o->stage))
		return true;
	give_stage(r, o);
	return false;
}

/* Families whose first walk is over and whose routes have all left. */
static uint8_t eor_due(const struct out *o)
{
	return o->stage ? 0 : (uint8_t)(o->eor & ~o->todo);
}

void out_work(struct rib *r)
{
	struct rib_peer *p;
	bool some;

	if (list_empty(&r->working))
		return;
	p = container_of(list_entry(r->working.next, struct out, link), struct rib_peer, out);
	list_del(&p->out.link);
	some = fill(r, p);
	enlist(r, &p->out);
	if (some || eor_due(&p->out))
		r->ops.out_ready(r->ops.ctx, p->index);
}

/* --- the peer's life --- */

void out_again(struct rib *r, struct rib_peer *p, uint8_t which, bool force)
{
	struct out *o = &p->out;

	which &= families(p);
	if (!o->live) {
		if (!p->export && !p->s.default_originate)
			return;
		o->live = true;
		r->n_live++;
		skip_journal(r, o);
	}
	/* a walk that has begun in one of these begins again; one in the other family is not disturbed */
	if (!(o->todo & FAMILY_V4) || which & FAMILY_V4)
		o->at = 0;
	o->todo |= which;
	if (force)
		o->force |= which;
	o->retry = false;
	if (which == families(p))
		o->limited = false;
	enlist(r, o);
}

void out_start(struct rib *r, struct rib_peer *p)
{
	struct out *o = &p->out;

	o->eor = families(p);
	out_again(r, p, FAMILIES_ALL, false);
	if (eor_due(o))
		r->ops.out_ready(r->ops.ctx, p->index);
}

void out_stop(struct rib *r, struct rib_peer *p)
{
	struct out *o = &p->out;
	bool live = o->live;

	if (o->stage) {
		stage_drop(o->stage, r->in);
		give_stage(r, o);
	}
	list_del(&o->link);
	export_forget(r, p);
	*o = (struct out){.live = false};
	list_init(&o->link);
	if (live) {
		r->n_live--;
		trim(r);
	}
}

uint64_t out_octets(const struct rib *r)
{
	uint64_t n = r->spare ? stage_octets() : 0;

	for (uint32_t i = 0; i < r->n_peers; i++)
		n += r->peer[i] && r->peer[i]->out.stage ? stage_octets() : 0;
	return n + r->journal.cap * sizeof(*r->journal.ring);
}

void out_free(struct rib *r)
{
	stage_free(r->spare);
	journal_fini(&r->journal);
}

void out_refresh(struct rib *r, uint32_t peer, uint8_t family)
{
	struct rib_peer *p = rib_peer(r, peer);

	if (p->up && negotiated(p, family))
		out_again(r, p, family == IP_V6 ? FAMILY_V6 : FAMILY_V4, true);
}

uint32_t out_count(const struct rib *r, uint32_t peer)
{
	return peer < r->n_peers && r->peer[peer] ? r->peer[peer]->out.count : 0;
}

bool out_limited(const struct rib *r, uint32_t peer)
{
	return peer < r->n_peers && r->peer[peer] && r->peer[peer]->out.limited;
}

bool out_pending(const struct rib *r, uint32_t peer)
{
	return peer < r->n_peers && r->peer[peer] && (r->peer[peer]->out.stage || eor_due(&r->peer[peer]->out));
}

/* --- messages --- */

/* Azure's Route Server counts what it has and what a message brings, even when that is the same (seed row A-13): a message
 * stays within what is left of the limit. */
static unsigned room(const struct rib_peer *p)
{
	uint32_t max = p->s.max_prefix_out;

	return max == 0 ? UINT32_MAX : max > p->out.count ? max - p->out.count : 1;
}

/* Not sent after all. */
static void take_back(struct rib *r, struct rib_peer *p, const struct ip_prefix *prefix)
{
	struct net_table *t = rib_table(r, prefix->addr.family);
	uint32_t i = net_find(t, prefix), *at = i ? find_sent(r, net_at(t, i), (uint16_t)p->index, p->session) : NULL;

	if (!at || !*at)
		return;
	drop_sent(r, at);
	p->out.count--;
	net_drop(t, i);
}

/* One message with what comes first in the stage. unfit: its set does not fit in any message (4271 9.2): withdraw. */
static size_t message(struct rib *r, struct rib_peer *p, uint8_t *buf, bool unfit)
{
	struct stage *s = p->out.stage;
	const struct bgp_attrs *first, *set;
	const struct ip_prefix *prefix = stage_peek(s, &first);
	uint8_t family = prefix->addr.family;
	struct update_build b;
	unsigned n = 0, max = first && !unfit ? room(p) : UINT32_MAX;

	if (first && !unfit)
		update_build_announce(&b, buf, BGP_MSG_MAX, first, &p->s.codec, family);
	else
		update_build_withdraw(&b, buf, BGP_MSG_MAX, family);
	for (set = first; prefix && set == first && prefix->addr.family == family && n < max; n++) {
		if (!update_build_add(&b, prefix))
			break;
		if (unfit)
			take_back(r, p, prefix);
		/* the set lives on in the Adj-RIB-Out, but for an unfit one, which the next peek shows only if it has more */
		stage_pop(s, r->in);
		prefix = stage_peek(s, &set);
	}
	return n ? update_build_end(&b) : 0;
}

static size_t end_of_rib(struct out *o, uint8_t *buf)
{
	uint8_t due = eor_due(o), bit = due & FAMILY_V4 ? FAMILY_V4 : FAMILY_V6;

	o->eor &= (uint8_t)~bit;
	return update_build_eor(buf, BGP_MSG_MAX, bit == FAMILY_V4 ? IP_V4 : IP_V6);
}

size_t out_pull(struct rib *r, uint32_t peer, uint8_t *buf)
{
	struct rib_peer *p = rib_peer(r, peer);
	struct out *o = &p->out;

	if (!o->stage && !eor_due(o) && has_more(r, o)) {
		list_del(&o->link);
		fill(r, p);
		enlist(r, o);
	}
	if (o->stage) {
		size_t len = message(r, p, buf, false);

		if (len == 0)
			len = message(r, p, buf, true);
		if (stage_empty(o->stage)) {
			give_stage(r, o);
			enlist(r, o);
		}
		return len;
	}
	return eor_due(o) ? end_of_rib(o, buf) : 0;
}
