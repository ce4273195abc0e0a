/* A live pair of IKE cores, and a script of what goes wrong between them.
 *
 * One octet is one step: time passes, something is asked of a core, the next datagram is lost, doubled, late, changed or
 * cut, or one that was seen before comes again, to either side. Whatever happens, no core may crash, spin or leak; and
 * unless the script took the tunnel down, it must carry traffic again once the network is well.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

enum { STEPS_MAX = 48, SEEN_MAX = 16, HEAL_MS = 400000 };

struct datagram {
	uint8_t b[SIM_DATAGRAM_MAX];
	size_t len;
	int to;
};

struct script {
	struct sim *s;
	const uint8_t *p, *end;
	struct datagram seen[SEEN_MAX]; /* the last ones, as they left */
	unsigned n_seen;
	struct datagram forged; /* to be given in when the core's call is over */
	bool has_forged, down;
	uint8_t fate; /* of the next datagram; 0: passes */
	uint8_t at, with;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static uint8_t next(struct script *x)
{
	return x->p < x->end ? *x->p++ : 0;
}

/* The same datagram with one octet changed, or cut. */
static void forge(struct script *x, int from, const uint8_t *msg, size_t len, bool cut)
{
	size_t at = (size_t)x->at * len / 256;

	memcpy(x->forged.b, msg, len);
	x->forged.b[at] ^= (uint8_t)(x->with | 1);
	x->forged.len = cut ? at : len;
	x->forged.to = !from;
	x->has_forged = true;
}

static enum sim_fate filter(void *arg, int from, uint64_t nth, const uint8_t *msg, size_t len)
{
	struct script *x = arg;
	uint8_t fate = x->fate;
	struct datagram *d = &x->seen[x->n_seen % SEEN_MAX];

	(void)nth;
	if (len > SIM_DATAGRAM_MAX)
		return SIM_PASS;
	memcpy(d->b, msg, len);
	d->len = len;
	d->to = !from;
	x->n_seen++;
	x->fate = 0;
	switch (fate) {
	case 1:
		return SIM_DROP;
	case 2:
		return SIM_DUP;
	case 3:
		return SIM_DELAY;
	case 4:
	case 5:
		forge(x, from, msg, len, fate == 5);
		return x->at & 1 ? SIM_DROP : SIM_PASS; /* instead of the true one, or before it */
	default:
		return SIM_PASS;
	}
}

static void ask(struct script *x, uint8_t what)
{
	static const enum ike_event_type events[] = {IKE_EV_REKEY_CHILD, IKE_EV_REKEY_IKE, IKE_EV_CHILD_SOFT,
						     IKE_EV_CHILD_HARD,  IKE_EV_ACQUIRE,   IKE_EV_REKEY_CHILD,
						     IKE_EV_REKEY_IKE,   IKE_EV_DOWN};
	enum ike_event_type type = events[what >> 1 & 7];

	x->down |= type == IKE_EV_DOWN;
	sim_event(&x->s->node[what & 1], type, 0);
}

/* Something that was seen before: to where it went, or back to where it came from. */
static void replay(struct script *x, uint8_t what)
{
	struct datagram *d;

	if (x->n_seen == 0)
		return;
	d = &x->seen[what % (x->n_seen < SEEN_MAX ? x->n_seen : SEEN_MAX)];
	sim_inject(&x->s->node[what & 0x20 ? !d->to : d->to], NULL, d->b, d->len);
}

static void give_forged(struct script *x)
{
	if (!x->has_forged)
		return;
	x->has_forged = false;
	sim_inject(&x->s->node[x->forged.to], NULL, x->forged.b, x->forged.len);
}

static void step(struct script *x, uint8_t op)
{
	switch (op >> 6) {
	case 0:
		for (unsigned i = 0; i < 4; i++) {
			sim_run(x->s, op & 63);
			give_forged(x);
		}
		break;
	case 1:
		ask(x, op);
		break;
	case 2:
		x->fate = op & 7;
		x->at = next(x);
		x->with = next(x);
		break;
	default:
		replay(x, op & 63);
		break;
	}
	give_forged(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const pfs[] = {"aes256gcm16-x25519", NULL};
	static struct script x;

	memset(&x, 0, sizeof(x));
	x.s = sim_new(1);
	x.p = data;
	x.end = data + len;
	x.s->probe_ms = 0;
	x.s->net.filter = filter;
	x.s->net.filter_arg = &x;
	x.s->net.filter_delay_ms = 900;
	if (next(&x) & 1)
		for (int i = 0; i < SIM_NODES; i++)
			sim_propose(&x.s->node[i], false, pfs);
	sim_start(x.s);
	for (unsigned i = 0; i < STEPS_MAX && x.p < x.end; i++)
		step(&x, next(&x));
	x.fate = 0;
	give_forged(&x);
	if (!x.down && !sim_run_until(x.s, sim_up, HEAL_MS))
		abort();
	sim_run(x.s, 1000);
	sim_free(x.s);
	return 0;
}
