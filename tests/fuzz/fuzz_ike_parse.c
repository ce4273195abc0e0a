/* A datagram from anyone: header, clear chain, the bodies in it, and an SK payload that will not open. */
#include <stdint.h>
#include <stdlib.h>

#include "controlplane/ike/natt.h"
#include "controlplane/ike/payload.h"
#include "controlplane/ike/sk.h"
#include "controlplane/ike/wire.h"
#include "tests/fuzz/ike_bodies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Every view lies inside the datagram, in order, and the whole is used up. */
static void check_views(const struct ike_msg *m, const uint8_t *data, size_t len)
{
	const uint8_t *at = data + IKE_HDR_LEN;

	for (unsigned i = 0; i < m->clear.n; i++) {
		must(m->clear.pl[i].body.p == at + IKE_PAYLOAD_HDR_LEN);
		must(m->clear.pl[i].body.end >= m->clear.pl[i].body.p);
		at = m->clear.pl[i].body.end;
	}
	if (m->has_sk) {
		must(m->sk.p == at + IKE_PAYLOAD_HDR_LEN + (m->is_fragment ? 4 : 0));
		at = m->sk.end;
		must(m->aad_len == (size_t)(m->sk.p - data));
	}
	must(at == data + len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct ike_msg m;
	static struct ike_chain inner;
	static const struct secret gcm = {.len = 36}, aes = {.len = 32}, hmac = {.len = 32};
	const struct sk_key key[] = {{.encr = alg_find(ALG_ENCR, ALG_ENCR_AES_GCM_16, 256), .e = &gcm},
				     {.encr = alg_find(ALG_ENCR, ALG_ENCR_AES_CBC, 256),
				      .integ = alg_find(ALG_INTEG, ALG_INTEG_HMAC_SHA2_256_128, 0),
				      .e = &aes,
				      .a = &hmac}};
	size_t n;
	const struct ike_path path = {.local = ip_v4(1), .remote = ip_v4(2), .local_port = 500, .remote_port = 500};
	struct natt_seen seen;
	struct ike_hdr h;
	enum ike_verdict v = wire_parse(data, len, &m), hv = wire_hdr_read(data, len, &h);

	must(hv == IKE_V_OK || v == hv);
	if (v != IKE_V_OK && v != IKE_V_CRITICAL)
		return 0;
	must(m.hdr.len == len && m.clear.n <= IKE_PAYLOADS_MAX);
	must((v == IKE_V_CRITICAL) == (m.clear.critical_type != 0));
	check_views(&m, data, len);
	for (unsigned i = 0; i < m.clear.n; i++)
		ike_body(&m.clear.pl[i]);
	must(natt_look(&m.clear, m.hdr.spi_i, m.hdr.spi_r, &path, &seen) == 0);
	if (m.has_sk && len < 4096) {
		uint8_t *text = malloc(len);

		for (unsigned i = 0; i < N_ELEMS(key); i++) {
			v = sk_open(&m, &key[i], text, len, &inner);
			must(v == IKE_V_DECRYPT && inner.n == 0);
			must(sk_open_text(&m, &key[i], text, len, &n) == IKE_V_DECRYPT && n == 0);
		}
		free(text);
	}
	return 0;
}
