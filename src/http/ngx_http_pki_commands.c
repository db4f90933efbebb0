
/*
 * The table of directives.
 *
 * pki_store, pki_issuer, pki_profile, pki_jwt and pki_directory are nouns
 * with directives of their own.  Their rows stand in this one table under
 * contexts of their own, so that nginx itself counts arguments, refuses
 * strangers and names the line.  A file for each noun has its block (_block.c
 * for the stores); the rows of the longest are in a file of their own.
 */

#include "ngx_http_pki_module.h"


/* a certificate costs about 100 octets of a request; room for one array */
#define NGX_HTTP_PKI_CERTS_MAX       256


static char *ngx_http_pki_not_zero(ngx_conf_t *cf, void *post, void *data);


static ngx_conf_enum_t  ngx_http_pki_serials[] = {
    { ngx_string("plain"), 0 },
    { ngx_string("sealed"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_pki_unknowns[] = {
    { ngx_string("unknown"), 0 },
    { ngx_string("serial"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_pki_devices[] = {
    { ngx_string("any"), 0 },
    { ngx_string("all"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_pki_absent[] = {
    { ngx_string("hold"), PKI_ABSENT_HOLD },
    { ngx_string("revoked"), PKI_ABSENT_REVOKED },
    { ngx_string("later"), PKI_ABSENT_LATER },
    { ngx_null_string, 0 }
};


static ngx_conf_num_bounds_t  ngx_http_pki_database_bounds = {
    ngx_conf_check_num_bounds, 0, 65535
};


static ngx_conf_num_bounds_t  ngx_http_pki_signatures_bounds = {
    ngx_conf_check_num_bounds, 1, 100000
};


static ngx_conf_num_bounds_t  ngx_http_pki_certs_bounds = {
    ngx_conf_check_num_bounds, 1, NGX_HTTP_PKI_CERTS_MAX
};


/* the largest page that any of the directories gives; see PKI_PAGE_ITEMS_MAX */

static ngx_conf_num_bounds_t  ngx_http_pki_page_bounds = {
    ngx_conf_check_num_bounds, 1, 2000
};


static ngx_conf_num_bounds_t  ngx_http_pki_lookups_bounds = {
    ngx_conf_check_num_bounds, 1, 1000
};


static ngx_conf_post_t  ngx_http_pki_not_zero_post = {
    ngx_http_pki_not_zero
};


ngx_command_t  ngx_http_pki_commands[] = {

    { ngx_string("pki_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_main_conf_t, zone_size),
      NULL },

    { ngx_string("pki_news_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_main_conf_t, news_timeout),
      &ngx_http_pki_not_zero_post },

    { ngx_string("pki_stale_answers"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_main_conf_t, stale_answers),
      NULL },

    { ngx_string("pki_store"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_pki_store_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_issuer"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_pki_issuer_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_directory"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE2,
      ngx_http_pki_directory_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_jwt"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_pki_jwt_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_profile"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_pki_profile_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_signatures"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_main_conf_t, signatures),
      &ngx_http_pki_signatures_bounds },

    { ngx_string("pki_ocsp"),
      NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      ngx_http_pki_ocsp,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_ocsp_max_certs"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_pki_loc_conf_t, max_certs),
      &ngx_http_pki_certs_bounds },

    { ngx_string("pki_ocsp_max_size"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_pki_loc_conf_t, max_size),
      NULL },

    { ngx_string("pki_api"),
      NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      ngx_http_pki_api,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_api_tokens"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_pki_tokens,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_api_jwt"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_pki_auth_jwt,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_api_role"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE123,
      ngx_http_pki_auth_role,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_api_plain_http"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_pki_auth_plain_http,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_pki_auth_conf_t, plain_http),
      NULL },

    { ngx_string("pki_api_cors"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_pki_auth_cors,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_enroll"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_pki_enroll,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_record"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_pki_enroll_record,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_pki_enroll_conf_t, record),
      NULL },

    { ngx_string("pki_client_certificate"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_pki_enroll_certificate,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_pki_enroll_conf_t, certificate),
      NULL },

    { ngx_string("pki_est"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_pki_est,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_scep"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_pki_scep,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_scep_challenge_file"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_pki_enroll_challenges,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_crl"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_pki_crl,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_crl_token_file"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_pki_crl_token_file,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_ca"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_pki_ca,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_hook"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_pki_hook,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pki_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_pki_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    /* in a pki_store block */

    { ngx_string("address"),
      NGX_HTTP_PKI_STORE_CONF|NGX_CONF_TAKE1,
      ngx_http_pki_address,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("database"),
      NGX_HTTP_PKI_STORE_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_store_t, database),
      &ngx_http_pki_database_bounds },

    { ngx_string("user"),
      NGX_HTTP_PKI_STORE_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_store_t, user),
      NULL },

    { ngx_string("secret_file"),
      NGX_HTTP_PKI_STORE_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_store_t, secret_file),
      NULL },

    { ngx_string("timeout"),
      NGX_HTTP_PKI_STORE_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_store_t, timeout),
      &ngx_http_pki_not_zero_post },

    { ngx_string("tls"),
      NGX_HTTP_PKI_STORE_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_store_t, tls),
      NULL },

    { ngx_string("tls_ca_file"),
      NGX_HTTP_PKI_STORE_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_store_t, tls_ca_file),
      NULL },

    { ngx_string("tls_name"),
      NGX_HTTP_PKI_STORE_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_store_t, tls_name),
      NULL },

    /* in a pki_issuer block */

    { ngx_string("certificate"),
      NGX_HTTP_PKI_ISSUER_CONF|NGX_CONF_TAKE1,
      ngx_http_pki_certificate,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("key"),
      NGX_HTTP_PKI_ISSUER_CONF|NGX_CONF_TAKE1,
      ngx_http_pki_key,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("responder"),
      NGX_HTTP_PKI_ISSUER_CONF|NGX_CONF_1MORE,
      ngx_http_pki_responder,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("serial"),
      NGX_HTTP_PKI_ISSUER_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_issuer_t, sealed),
      &ngx_http_pki_serials },

    { ngx_string("serial_key"),
      NGX_HTTP_PKI_ISSUER_CONF|NGX_CONF_TAKE1,
      ngx_http_pki_serial_key,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("validity"),
      NGX_HTTP_PKI_ISSUER_CONF|NGX_CONF_1MORE,
      ngx_http_pki_validity,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("store"),
      NGX_HTTP_PKI_ISSUER_CONF|NGX_CONF_TAKE1,
      ngx_http_pki_store_name,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("unknown"),
      NGX_HTTP_PKI_ISSUER_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_issuer_t, unknown),
      &ngx_http_pki_unknowns },

    { ngx_string("extended_revoke"),
      NGX_HTTP_PKI_ISSUER_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_issuer_t, extended_revoke),
      NULL },

    { ngx_string("archive_cutoff"),
      NGX_HTTP_PKI_ISSUER_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_issuer_t, archive_cutoff),
      NULL },

    { ngx_string("directory"),
      NGX_HTTP_PKI_ISSUER_CONF|NGX_CONF_TAKE1,
      ngx_http_pki_reference,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("devices"),
      NGX_HTTP_PKI_ISSUER_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_issuer_t, devices),
      &ngx_http_pki_devices },

    { ngx_string("reason"),
      NGX_HTTP_PKI_ISSUER_CONF|NGX_CONF_TAKE2|NGX_CONF_TAKE4|NGX_CONF_TAKE6,
      ngx_http_pki_reason,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("crl"),
      NGX_HTTP_PKI_ISSUER_CONF|NGX_CONF_1MORE,
      ngx_http_pki_clerk_crl,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ocsp_url"),
      NGX_HTTP_PKI_ISSUER_CONF|NGX_CONF_1MORE,
      ngx_http_pki_issuer_urls,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_issuer_t, urls.ocsp),
      NULL },

    { ngx_string("ca_issuers_url"),
      NGX_HTTP_PKI_ISSUER_CONF|NGX_CONF_1MORE,
      ngx_http_pki_issuer_urls,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_issuer_t, urls.ca_issuers),
      NULL },

    { ngx_string("crl_url"),
      NGX_HTTP_PKI_ISSUER_CONF|NGX_CONF_1MORE,
      ngx_http_pki_issuer_urls,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_issuer_t, urls.crl),
      NULL },

    { ngx_string("delta_crl_url"),
      NGX_HTTP_PKI_ISSUER_CONF|NGX_CONF_1MORE,
      ngx_http_pki_issuer_urls,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_issuer_t, urls.freshest_crl),
      NULL },

    { ngx_string("lifetime"),
      NGX_HTTP_PKI_ISSUER_CONF|NGX_CONF_TAKE1,
      ngx_http_pki_lifetime,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_issuer_t, urls.lifetime),
      NULL },

    /* in a pki_profile block */

    { ngx_string("issuer"),
      NGX_HTTP_PKI_PROFILE_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_profile_t, issuer_name),
      NULL },

    { ngx_string("callers"),
      NGX_HTTP_PKI_PROFILE_CONF|NGX_CONF_1MORE,
      ngx_http_pki_profile_patterns,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_profile_t, callers),
      NULL },

    { ngx_string("bind"),
      NGX_HTTP_PKI_PROFILE_CONF|NGX_CONF_TAKE1,
      ngx_http_pki_profile_bind,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("subject"),
      NGX_HTTP_PKI_PROFILE_CONF|NGX_CONF_1MORE,
      ngx_http_pki_profile_patterns,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_profile_t, rules.subjects),
      NULL },

    { ngx_string("san"),
      NGX_HTTP_PKI_PROFILE_CONF|NGX_CONF_1MORE,
      ngx_http_pki_profile_names,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_profile_t, rules.names),
      NULL },

    { ngx_string("eku"),
      NGX_HTTP_PKI_PROFILE_CONF|NGX_CONF_1MORE,
      ngx_http_pki_profile_ekus,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("default_eku"),
      NGX_HTTP_PKI_PROFILE_CONF|NGX_CONF_1MORE,
      ngx_http_pki_profile_default_ekus,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("default_key_usage"),
      NGX_HTTP_PKI_PROFILE_CONF|NGX_CONF_1MORE,
      ngx_http_pki_profile_default_usage,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("requested_usage"),
      NGX_HTTP_PKI_PROFILE_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_profile_t, requested_usage),
      NULL },

    { ngx_string("keys"),
      NGX_HTTP_PKI_PROFILE_CONF|NGX_CONF_1MORE,
      ngx_http_pki_profile_keys,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("lifetime"),
      NGX_HTTP_PKI_PROFILE_CONF|NGX_CONF_TAKE1,
      ngx_http_pki_lifetime,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_profile_t, lifetime),
      NULL },

    { ngx_string("backdate"),
      NGX_HTTP_PKI_PROFILE_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_profile_t, backdate),
      NULL },

    { ngx_string("microsoft_extensions"),
      NGX_HTTP_PKI_PROFILE_CONF|NGX_CONF_TAKE12,
      ngx_http_pki_profile_microsoft,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("requested_sid"),
      NGX_HTTP_PKI_PROFILE_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_profile_t, requested_sid),
      NULL },

    { ngx_string("renew"),
      NGX_HTTP_PKI_PROFILE_CONF|NGX_CONF_1MORE,
      ngx_http_pki_profile_renew,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("source"),
      NGX_HTTP_PKI_PROFILE_CONF|NGX_CONF_TAKE1,
      ngx_http_pki_profile_source,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    /* in a pki_jwt block */

    { ngx_string("issuer"),
      NGX_HTTP_PKI_JWT_CONF|NGX_CONF_1MORE,
      ngx_http_pki_jwt_values,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_jwt_t, issuers),
      NULL },

    { ngx_string("audience"),
      NGX_HTTP_PKI_JWT_CONF|NGX_CONF_1MORE,
      ngx_http_pki_jwt_values,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_jwt_t, audiences),
      NULL },

    { ngx_string("keys"),
      NGX_HTTP_PKI_JWT_CONF|NGX_CONF_TAKE12,
      ngx_http_pki_jwt_keys,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ca_file"),
      NGX_HTTP_PKI_JWT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_jwt_t, ca_file),
      NULL },

    { ngx_string("proxy"),
      NGX_HTTP_PKI_JWT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_jwt_t, proxy),
      NULL },

    { ngx_string("plain_http"),
      NGX_HTTP_PKI_JWT_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_jwt_t, plain_http),
      NULL },

    { ngx_string("roles_claim"),
      NGX_HTTP_PKI_JWT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_jwt_t, roles_claim),
      NULL },

    { ngx_string("role"),
      NGX_HTTP_PKI_JWT_CONF|NGX_CONF_TAKE23,
      ngx_http_pki_jwt_role,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("skew"),
      NGX_HTTP_PKI_JWT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_jwt_t, skew),
      NULL },

    { ngx_string("refresh"),
      NGX_HTTP_PKI_JWT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_jwt_t, refresh),
      NULL },

    { ngx_string("pause"),
      NGX_HTTP_PKI_JWT_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_pki_jwt_t, pause),
      NULL },

#include "ngx_http_pki_commands_directory.h"

      ngx_null_command
};


static char *
ngx_http_pki_not_zero(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t *value = data;

    return *value ? NGX_CONF_OK : "must not be zero";
}
