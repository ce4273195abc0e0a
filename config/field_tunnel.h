/* Parsers of a tunnel's values (field_cert.c: those of certificates). Private to the room. base is the struct cfg_tunnel. */
#pragma once

#include "config/load.h"

void field_local_port(struct load *l, const struct tree_node *n, void *tunnel);
void field_local_address(struct load *l, const struct tree_node *n, void *tunnel);
void field_remote_address(struct load *l, const struct tree_node *n, void *tunnel);
void field_local_id(struct load *l, const struct tree_node *n, void *tunnel);
void field_remote_id(struct load *l, const struct tree_node *n, void *tunnel);
void field_psk(struct load *l, const struct tree_node *n, void *tunnel);
void field_psk_file(struct load *l, const struct tree_node *n, void *tunnel);
void field_ike_proposals(struct load *l, const struct tree_node *n, void *tunnel);
void field_esp_proposals(struct load *l, const struct tree_node *n, void *tunnel);
void field_tunnel_mtu(struct load *l, const struct tree_node *n, void *tunnel);
void field_replay_window(struct load *l, const struct tree_node *n, void *tunnel);
void field_mss(struct load *l, const struct tree_node *n, void *tunnel);
void field_dscp(struct load *l, const struct tree_node *n, void *tunnel);
void field_cert(struct load *l, const struct tree_node *n, void *tunnel);
void field_cert_key(struct load *l, const struct tree_node *n, void *tunnel);
void field_ca(struct load *l, const struct tree_node *n, void *tunnel);
void field_crl(struct load *l, const struct tree_node *n, void *tunnel);
void field_crl_strict(struct load *l, const struct tree_node *n, void *tunnel);
