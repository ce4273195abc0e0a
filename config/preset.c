#include "config/preset.h"

#include <stddef.h>
#include <string.h>

#include "config/proposal.h"

/* What the peers do when nobody has told them anything else. Lifetimes and dead-peer detection are each side's own affair
 * (RFC 7296 2.8): there the figures are what the other side uses. */
static const struct cfg_preset rows[] = {
	[CFG_TUNNEL_PLAIN] =
		{
			.kind = "plain",
			.what = "any peer: what a tunnel without `kind` gets",
			.ike_lifetime_s = 86400,
			.esp_lifetime_s = 3600,
			.dpd_s = 30,
		},
	/* Microsoft, "About VPN devices", "About cryptographic requirements": route-based, no policy on the connection.
	 * Of its six offers for IKE the four with AES: the other two are 3DES, and never the only ones. As the data sheet
	 * that Azure hands out says: 3600 s, 102400000 KB, no PFS; MSS 1350. */
	[CFG_TUNNEL_AZURE_VPN_GATEWAY] =
		{
			.kind = "azure-vpn-gateway",
			.what = "an Azure VPN gateway (route-based) whose connection has no IPsec/IKE policy",
			.ike = {"aes256-sha1-modp1024", "aes256-sha256-modp1024", "aes128-sha1-modp1024",
				"aes128-sha256-modp1024"},
			.esp = {"aes256gcm16", "aes256-sha256"},
			.ike_lifetime_s = 28800,
			.esp_lifetime_s = 3600,
			.esp_lifetime_bytes = 102400000ULL << 10,
			.dpd_s = 45,
			.mss = 1350,
		},
	/* Windows Server's RRAS and Windows' own client: group 2, or 14 where NegotiateDH2048_AES256 is set; SHA-1 in ESP. */
	[CFG_TUNNEL_WINDOWS_RRAS] =
		{
			.kind = "windows-rras",
			.what = "Windows Server's RRAS as it comes, or with NegotiateDH2048_AES256",
			.ike = {"aes256-sha256-modp2048", "aes256-sha256-modp1024", "aes256-sha1-modp1024",
				"3des-sha1-modp1024"},
			.esp = {"aes256-sha1", "aes128-sha1", "3des-sha1"},
			.ike_lifetime_s = 28800,
			.esp_lifetime_s = 3600,
			.dpd_s = 30,
		},
	/* AWS, "Tunnel options for your Site-to-Site VPN connection": 28800 s and 3600 s, DPD 30 s, window 1024, PFS asked
	 * for; "Best practices": DF is to be cleared, and packets cut before the cipher. */
	[CFG_TUNNEL_AWS_VPN] =
		{
			.kind = "aws-vpn",
			.what = "an AWS Site-to-Site VPN with its default options",
			.ike = {"aes256gcm16-prfsha384-ecp384", "aes256-sha256-ecp256-modp2048",
				"aes128-sha256-ecp256-modp2048"},
			.esp = {"aes256gcm16-ecp384", "aes256-sha256-ecp256-modp2048", "aes128-sha256-ecp256-modp2048"},
			.ike_lifetime_s = 28800,
			.esp_lifetime_s = 3600,
			.dpd_s = 30,
			.df = CFG_DF_CLEAR,
		},
};

const char *const preset_words[] = {"plain", "azure-vpn-gateway", "windows-rras", "aws-vpn", NULL};
_Static_assert(N_ELEMS(preset_words) == N_ELEMS(rows) + 1, "a word for each");

const struct cfg_preset *cfg_presets(unsigned *n)
{
	*n = N_ELEMS(rows);
	return rows;
}

static unsigned take(enum proposal_of of, const char *const *words, struct cfg_proposal *p)
{
	char err[320];
	unsigned n = 0;

	if (!words[0])
		return proposal_defaults(of, p);
	while (n < CFG_PROPOSALS_MAX && words[n] && proposal_parse(words[n], of, &p[n], err, sizeof(err)) == 0)
		n++; /* our own words: the unit test would have seen it */
	return n;
}

void preset_fill(struct load *l, struct cfg_tunnel *t)
{
	const struct cfg_preset *k = &rows[t->kind];

	if (!load_line(l, &t->ike.n_proposals))
		t->ike.n_proposals = take(PROPOSAL_IKE, k->ike, t->ike.proposal);
	if (!load_line(l, &t->esp.n_proposals))
		t->esp.n_proposals = take(PROPOSAL_ESP, k->esp, t->esp.proposal);
	if (!load_line(l, &t->ike.lifetime_s))
		t->ike.lifetime_s = k->ike_lifetime_s;
	if (!load_line(l, &t->esp.lifetime_s))
		t->esp.lifetime_s = k->esp_lifetime_s;
	if (!load_line(l, &t->esp.lifetime_bytes))
		t->esp.lifetime_bytes = k->esp_lifetime_bytes;
	if (!load_line(l, &t->dpd_s))
		t->dpd_s = k->dpd_s;
	if (!load_line(l, &t->mss))
		t->mss = k->mss;
	if (!load_line(l, &t->df))
		t->df = k->df;
}

static bool legacy(enum proposal_of of, const char *const *words)
{
	struct cfg_proposal p[CFG_PROPOSALS_MAX] = {0};
	unsigned n = take(of, words, p);
	bool weak = false;

	for (unsigned i = 0; i < n; i++)
		weak |= proposal_legacy(&p[i]) != NULL;
	return weak;
}

bool cfg_preset_legacy(const struct cfg_preset *p)
{
	return legacy(PROPOSAL_IKE, p->ike) || legacy(PROPOSAL_ESP, p->esp);
}
