#include "bgp/attr.h"

#include <errno.h>
#include <string.h>

#include "bgp/aspath.h"

void attr_draft(struct bgp_attrs_draft *d, const struct bgp_attrs *a)
{
	memcpy(d->room, a, sizeof(*a) + attr_data_len(a));
}

int attr_set_part(struct bgp_attrs_draft *d, unsigned part, const void *octets, size_t len)
{
	struct bgp_attrs *a = &d->a;
	uint16_t *const lens[] = {&a->path_len, &a->comm_len, &a->ext_len, &a->large_len, &a->other_len};
	size_t before = 0, behind = 0, old = *lens[part];

	for (unsigned i = 0; i < N_ELEMS(lens); i++) {
		before += i < part ? *lens[i] : 0;
		behind += i > part ? *lens[i] : 0;
	}
	if (before + len + behind > BGP_ATTRS_DATA_MAX)
		return -E2BIG;
	memmove(a->data + before + len, a->data + before + old, behind);
	if (len)
		memcpy(a->data + before, octets, len);
	*lens[part] = (uint16_t)len;
	if (part == 0)
		a->hops = (uint16_t)aspath_hops(a->data, len);
	return 0;
}
