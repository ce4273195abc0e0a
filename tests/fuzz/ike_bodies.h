/* Payload bodies for the IKE fuzz targets: decode, and what we can say ourselves must come back the same. */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/ike/payload.h"

static inline void must(bool ok)
{
	if (!ok)
		abort();
}

/* What an encoder writes is what was read, reserved octets aside (cleared in a copy by the caller). */
static inline void same_octets(const struct wr *w, struct rd body, size_t skip)
{
	must(!w->full && w->len == rd_left(&body));
	must(w->len < skip || memcmp(w->buf + skip, body.p + skip, w->len - skip) == 0);
}

static inline void ike_body_sa(struct rd body, struct wr *w)
{
	static struct payload_sa sa, again;

	if (payload_sa_decode(body, &sa) != IKE_V_OK)
		return;
	must(sa.n + sa.left_out > 0 && sa.n <= PAYLOAD_PROPOSALS_MAX && sa.n_transforms <= PAYLOAD_TRANSFORMS_MAX);
	for (unsigned i = 0; i < sa.n; i++)
		must(sa.proposal[i].first + sa.proposal[i].n <= sa.n_transforms);
	payload_sa_encode(w, &sa);
	must(!w->full && w->len <= rd_left(&body));
	must(payload_sa_decode(rd_of(w->buf, w->len), &again) == IKE_V_OK && again.n == sa.n);
}

static inline void ike_body_ts(struct rd body, struct wr *w)
{
	static struct payload_ts ts, again;

	if (payload_ts_decode(body, &ts) != IKE_V_OK)
		return;
	for (unsigned i = 0; i < ts.n; i++)
		must(ts.ts[i].port_lo <= ts.ts[i].port_hi && ip_cmp(&ts.ts[i].lo, &ts.ts[i].hi) <= 0);
	payload_ts_encode(w, &ts);
	must(!w->full && w->len <= rd_left(&body));
	must(ts.n == 0 || (payload_ts_decode(rd_of(w->buf, w->len), &again) == IKE_V_OK && again.n == ts.n));
}

static inline void ike_body_delete(struct rd body, struct wr *w)
{
	static uint32_t spi[PAYLOAD_DELETE_MAX];
	struct payload_delete d;
	unsigned n = 0;

	if (payload_delete_decode(body, &d) != IKE_V_OK)
		return;
	while (n < PAYLOAD_DELETE_MAX && payload_delete_next(&d, &spi[n]))
		n++;
	must(n == d.n);
	payload_delete_encode(w, d.protocol, spi, n);
	same_octets(w, body, 0);
}

static inline void ike_body_notify(struct rd body, struct wr *w)
{
	struct payload_notify n;

	if (payload_notify_decode(body, &n) != IKE_V_OK)
		return;
	payload_notify_encode(w, &n);
	same_octets(w, body, 0);
	must(payload_notify_name(n.type) != NULL);
}

static inline void ike_body_plain(uint8_t type, struct rd body, struct wr *w)
{
	struct payload_ke ke;
	struct payload_auth auth;
	struct payload_cert cert;
	struct payload_cp cp;
	struct ike_nonce nonce;
	struct cfg_id id;
	const uint8_t *vendor;
	uint16_t len;
	char text[64];

	if (type == IKE_PL_KE && payload_ke_decode(body, &ke) == IKE_V_OK) {
		payload_ke_encode(w, ke.group, ke.data, ke.len);
		same_octets(w, body, 4);
	} else if (type == IKE_PL_NONCE && payload_nonce_decode(body, &nonce) == IKE_V_OK) {
		payload_nonce_encode(w, &nonce);
		same_octets(w, body, 0);
	} else if ((type == IKE_PL_IDI || type == IKE_PL_IDR) && payload_id_decode(body, &id) == IKE_V_OK) {
		payload_id_encode(w, &id);
		same_octets(w, body, 4);
		must(cfg_id_str(&id, text, sizeof(text)) && strlen(text) < sizeof(text));
	} else if (type == IKE_PL_AUTH && payload_auth_decode(body, &auth) == IKE_V_OK) {
		payload_auth_encode(w, auth.method, auth.data, auth.len);
		same_octets(w, body, 4);
	} else if ((type == IKE_PL_CERT || type == IKE_PL_CERTREQ) && payload_cert_decode(body, &cert) == IKE_V_OK) {
		payload_cert_encode(w, cert.encoding, cert.data, cert.len);
		same_octets(w, body, 0);
	} else if (type == IKE_PL_VENDOR && payload_vendor_decode(body, &vendor, &len) == IKE_V_OK) {
		payload_vendor_encode(w, vendor, len);
		same_octets(w, body, 0);
	} else if (type == IKE_PL_CP && payload_cp_decode(body, &cp) == IKE_V_OK) {
		must(cp.n <= rd_left(&body) / 4);
	}
}

static inline void ike_body(const struct ike_payload *p)
{
	static uint8_t buf[65536];
	struct wr w = wr_of(buf, sizeof(buf));

	switch (p->type) {
	case IKE_PL_SA:
		ike_body_sa(p->body, &w);
		break;
	case IKE_PL_TSI:
	case IKE_PL_TSR:
		ike_body_ts(p->body, &w);
		break;
	case IKE_PL_DELETE:
		ike_body_delete(p->body, &w);
		break;
	case IKE_PL_NOTIFY:
		ike_body_notify(p->body, &w);
		break;
	default:
		ike_body_plain(p->type, p->body, &w);
	}
}
