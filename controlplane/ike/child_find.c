/* Looking for children, and counting them. */
#include "controlplane/ike/child.h"
#include "controlplane/ike/sa.h"
#include "controlplane/ike/tunnel.h"

struct ike_child *child_find_in(const struct ike_sa *sa, uint32_t spi_in)
{
	list_each (e, &sa->children) {
		struct ike_child *c = list_entry(e, struct ike_child, node);

		if (spi_in && c->spi_in == spi_in)
			return c;
	}
	return NULL;
}

struct ike_child *child_find_out(const struct ike_sa *sa, uint32_t spi_out)
{
	list_each (e, &sa->children) {
		struct ike_child *c = list_entry(e, struct ike_child, node);

		if (spi_out && c->spi_out == spi_out)
			return c;
	}
	return NULL;
}

struct ike_child *child_of_tunnel(struct ike *k, uint32_t tunnel, uint32_t spi_in, struct ike_sa **sa)
{
	struct ike_tunnel *t = tunnel_find(k, tunnel);

	if (!t)
		return NULL;
	list_each (e, &t->sas) {
		struct ike_child *c;

		*sa = list_entry(e, struct ike_sa, in_tunnel);
		c = child_find_in(*sa, spi_in);
		if (c && !c->lost)
			return c;
	}
	return NULL;
}

bool child_alive(const struct ike_child *c)
{
	return !c->redundant && !c->lost &&
	       (c->state == IKE_CHILD_INSTALLING || c->state == IKE_CHILD_UP || c->state == IKE_CHILD_REKEYING);
}

unsigned child_count_alive(const struct ike_sa *sa)
{
	unsigned n = 0;

	list_each (e, &sa->children)
		n += child_alive(list_entry(e, struct ike_child, node));
	return n;
}

unsigned child_count_of(const struct ike_sa *sa, uint8_t index)
{
	unsigned n = 0;

	list_each (e, &sa->children) {
		const struct ike_child *c = list_entry(e, struct ike_child, node);

		n += c->index == index && child_alive(c);
	}
	return n;
}

struct ike_child *child_of_index(const struct ike_sa *sa, uint8_t index)
{
	list_each (e, &sa->children) {
		struct ike_child *c = list_entry(e, struct ike_child, node);

		if (c->index == index && child_alive(c))
			return c;
	}
	return NULL;
}
