/* The simulator's conditions: what both ends must agree on when the dust has settled. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim_env.h"

struct count {
	unsigned want, n, all;
	struct ike_sa_info sa;
	struct ike_child_info child;
};

static bool count_sa(void *arg, const struct ike_sa_info *i)
{
	struct count *c = arg;

	c->all++;
	if (i->state == c->want) {
		c->n++;
		c->sa = *i;
	}
	return true;
}

static bool count_child(void *arg, const struct ike_child_info *i)
{
	struct count *c = arg;

	c->all++;
	if (i->state == c->want) {
		c->n++;
		c->child = *i;
	}
	return true;
}

unsigned sim_count_ike(const struct sim_node *n, enum ike_sa_state state)
{
	struct count c = {.want = state};

	ike_sa_walk(n->k, count_sa, &c);
	return c.n;
}

unsigned sim_count_child(const struct sim_node *n, enum ike_child_state state)
{
	struct count c = {.want = state};

	ike_child_walk(n->k, count_child, &c);
	return c.n;
}

bool sim_the_ike(const struct sim_node *n, struct ike_sa_info *out)
{
	struct count c = {.want = IKE_SA_UP};

	ike_sa_walk(n->k, count_sa, &c);
	*out = c.sa;
	return c.n > 0;
}

bool sim_the_child(const struct sim_node *n, struct ike_child_info *out)
{
	struct count c = {.want = IKE_CHILD_UP};

	ike_child_walk(n->k, count_child, &c);
	*out = c.child;
	return c.n > 0;
}

struct of_index {
	uint8_t child;
	unsigned n;
	struct ike_child_info info;
};

static bool take_child(void *arg, const struct ike_child_info *i)
{
	struct of_index *o = arg;

	if (i->state == IKE_CHILD_UP && i->child == o->child) {
		o->n++;
		o->info = *i;
	}
	return true;
}

bool sim_child_of(const struct sim_node *n, uint8_t child, struct ike_child_info *out)
{
	struct of_index o = {.child = child};

	ike_child_walk(n->k, take_child, &o);
	*out = o.info;
	return o.n == 1;
}

static const struct sim_pair *by_spi(const struct sim_node *n, uint32_t spi_in)
{
	for (unsigned i = 0; i < SIM_PAIRS_MAX; i++)
		if (n->pair[i].used && n->pair[i].spi_in == spi_in)
			return &n->pair[i];
	return NULL;
}

/* Would a packet of n be decrypted by the other side now? */
static bool can_send_on(const struct sim_node *n, unsigned child)
{
	const struct sim_node *peer = &n->s->node[!n->id];
	const struct sim_pair *p = n->tx[child] ? by_spi(n, n->tx[child]) : NULL;
	const struct sim_pair *q = p && p->out.ready ? by_spi(peer, p->out.spi) : NULL;

	return q && q->in.ready && q->in.key.len == p->out.key.len &&
	       secret_equal(q->in.key.b, p->out.key.b, p->out.key.len);
}

static bool can_send(const struct sim_node *n)
{
	for (unsigned i = 0; i < sim_children(n->s); i++)
		if (!can_send_on(n, i))
			return false;
	return true;
}

bool sim_up(struct sim *s)
{
	return sim_count_ike(&s->node[0], IKE_SA_UP) && sim_count_ike(&s->node[1], IKE_SA_UP) &&
	       can_send(&s->node[0]) && can_send(&s->node[1]);
}

static bool no_orphan(const struct sim_node *n)
{
	unsigned used = 0;

	for (unsigned i = 0; i < SIM_PAIRS_MAX; i++)
		used += n->pair[i].used;
	return used == sim_children(n->s);
}

/* NULL: settled. */
static const char *unsettled(struct sim *s)
{
	struct count ike[2], child[2];
	unsigned n = sim_children(s);

	for (int i = 0; i < SIM_NODES; i++) {
		ike[i] = (struct count){.want = IKE_SA_UP};
		child[i] = (struct count){.want = IKE_CHILD_UP};
		ike_sa_walk(s->node[i].k, count_sa, &ike[i]);
		ike_child_walk(s->node[i].k, count_child, &child[i]);
		if (ike[i].n != 1 || ike[i].all != 1)
			return i ? "node 1 has not exactly one IKE SA" : "node 0 has not exactly one IKE SA";
		if (child[i].n != n || child[i].all != n)
			return i ? "node 1 has not exactly its children" : "node 0 has not exactly its children";
		if (!no_orphan(&s->node[i]))
			return i ? "node 1's data plane holds an orphan" : "node 0's data plane holds an orphan";
	}
	if (ike[0].sa.spi_i != ike[1].sa.spi_i || ike[0].sa.spi_r != ike[1].sa.spi_r)
		return "the ends have different IKE SAs";
	if (ike[0].sa.initiator == ike[1].sa.initiator)
		return "both ends think they are the same side of the IKE SA";
	for (unsigned i = 0; i < n; i++) {
		struct ike_child_info a, b;

		if (!sim_child_of(&s->node[0], (uint8_t)i, &a) || !sim_child_of(&s->node[1], (uint8_t)i, &b) ||
		    a.spi_in != b.spi_out || a.spi_out != b.spi_in)
			return "the ends have different child SAs";
	}
	if (!can_send(&s->node[0]))
		return "node 1 cannot decrypt what node 0 sends";
	if (!can_send(&s->node[1]))
		return "node 0 cannot decrypt what node 1 sends";
	return NULL;
}

bool sim_settled(struct sim *s)
{
	return !unsettled(s);
}

const char *sim_why(struct sim *s)
{
	static char line[512];
	const char *why = unsettled(s);

	snprintf(line, sizeof(line), "seed %llu at %llu: %s", (unsigned long long)s->seed, (unsigned long long)s->now,
		 why ? why : "settled");
	return line;
}

bool sim_empty(struct sim *s)
{
	for (int i = 0; i < SIM_NODES; i++) {
		struct count sa = {0}, child = {0};

		ike_sa_walk(s->node[i].k, count_sa, &sa);
		ike_child_walk(s->node[i].k, count_child, &child);
		if (sa.all || child.all)
			return false;
		for (unsigned p = 0; p < SIM_PAIRS_MAX; p++)
			if (s->node[i].pair[p].used)
				return false;
	}
	return true;
}
