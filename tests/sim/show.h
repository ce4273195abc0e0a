/* A stranger that shows certificates: what it says is put together by a test's row.
 *
 * Its tunnel at node 1 believes `root`, and knows it as "stranger"; another peer, node 0, must never be disturbed.
 */
#pragma once

#include "controlplane/ike/auth.h"
#include "controlplane/ike/auth_sig.h"
#include "controlplane/ike/cert.h"
#include "tests/sim/pki.h"
#include "tests/sim/stage.h"

struct show {
	struct stage *g;
	struct pki *root, *other_root, *mid; /* other_root: of the same name; mid: an authority under root, pathlen 0 */
	struct pki *end, *ours;              /* the stranger's own; node 1's */
	struct cfg_certs *certs;             /* node 1's; serial 666 is revoked */
	struct wire_out o;
	uint8_t id[4 + CFG_ID_MAX]; /* ID payload's body */
	size_t id_len;
};

/* Something wrong, or not, and what node 1 says of it. */
struct show_row {
	const char *name;
	void (*put)(struct show *w); /* CERT and AUTH payloads */
	const char *cause;           /* NULL: it is let in */
};

void show_up(struct show *w, struct stage *g, uint64_t seed);
void show_down(struct show *w);
/* Another stranger with this identity, as far as keys. certs: its tunnel's method; else PSK. */
void show_meet(struct show *w, uint8_t seed, const char *name, bool certs);
/* It says IKE_AUTH; the answer as of stranger_answer(). */
unsigned show_auth(struct show *w, void (*put)(struct show *w));
/* Refused rows get one answer, are counted once and told once; good ones come up. */
void show_rows(struct show *w, const struct show_row *rows, unsigned n);
/* Node 1 said this, once, and in plain characters. */
void show_told_once(const struct show *w, const char *name, const char *cause);

void show_put_cert(struct show *w, uint8_t encoding, const void *der, size_t len);
void show_put_x509(struct show *w, X509 *x);
void show_put_auth(struct show *w, uint8_t method, const void *data, size_t len);
/* A certificate of the stranger's: under root, with its names, where the spec does not say other ones. */
struct pki *show_end(struct show *w, struct pki_spec s);
/* AUTH signed well with this key. hashes 0: by the older methods. */
struct auth_value show_sign(struct show *w, EVP_PKEY *key, unsigned hashes, bool legacy);
void show_put_signed(struct show *w, EVP_PKEY *key);
/* What is to be signed. */
struct auth_octets show_octets(struct show *w);
/* All that is right. */
void show_good(struct show *w);
