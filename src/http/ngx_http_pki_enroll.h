
/*
 * What the http floor has about enrolment: profiles, POST csr, EST, SCEP.
 *
 * The end of ngx_http_pki_module.h, which alone includes it.
 */

#ifndef _NGX_HTTP_PKI_ENROLL_H_INCLUDED_
#define _NGX_HTTP_PKI_ENROLL_H_INCLUDED_


/* ngx_http_pki_profile.c: the block pki_profile */

struct ngx_http_pki_profile_s {
    ngx_str_t                 name;         /* terminated */
    ngx_str_t                 file;         /* where it was configured */
    ngx_uint_t                line;
    ngx_str_t                 issuer_name;
    ngx_http_pki_issuer_t    *issuer;       /* when resolved */

    pki_patterns_t            callers;
    ngx_uint_t                bind;         /* pki_bind_t */
    ngx_flag_t                requested_usage;
    ngx_flag_t                requested_sid;
    ngx_flag_t                microsoft;
    time_t                    lifetime;
    time_t                    backdate;
    ngx_uint_t                renew;        /* 1 << pki_kind_t */
    ngx_uint_t                source;       /* pki_row_source_t */

    pki_profile_t             rules;        /* complete at the block's end */
};


char *ngx_http_pki_profile_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pki_profile_bind(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pki_profile_patterns(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pki_profile_names(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pki_profile_ekus(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pki_profile_default_ekus(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pki_profile_default_usage(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pki_profile_keys(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pki_profile_microsoft(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pki_profile_renew(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pki_profile_source(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* `lifetime` of an issuer or a profile; cmd->offset says where it goes. */
char *ngx_http_pki_lifetime(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* An issuer's URLs; cmd->offset says which. */
char *ngx_http_pki_issuer_urls(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Finds the issuers of all profiles, which must be able to sign. */
ngx_int_t ngx_http_pki_profiles_resolve(ngx_conf_t *cf,
    ngx_http_pki_main_conf_t *mcf);


/* ngx_http_pki_enroll_conf.c: what locations say about enrolment */

/* a secret that lets a request of SCEP in */

typedef struct {
    u_char                    hash[PKI_FINGERPRINT_LEN];    /* SHA-256 */
} ngx_http_pki_challenge_t;


struct ngx_http_pki_enroll_conf_s {
    ngx_str_t                 file;         /* of pki_enroll */
    ngx_uint_t                line;
    ngx_array_t              *names;        /* ngx_str_t; NULL: none */
    ngx_http_pki_profile_t  **profiles;     /* in that order */
    ngx_uint_t                n;
    ngx_flag_t                record;
    ngx_http_complex_value_t *certificate;  /* of a client that renews */
    ngx_array_t              *challenges;   /* ngx_http_pki_challenge_t */
};


char *ngx_http_pki_enroll(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_enroll_record(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pki_enroll_certificate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

char *ngx_http_pki_enroll_merge(ngx_conf_t *cf, ngx_http_pki_loc_conf_t *prev,
    ngx_http_pki_loc_conf_t *conf);


char *ngx_http_pki_enroll_challenges(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* ngx_http_pki_enroll.c: from a request to a recorded certificate */

typedef struct ngx_http_pki_enroll_s  ngx_http_pki_enroll_t;

/* Sends the certificate; returns what to finalize with. */
typedef ngx_int_t (*ngx_http_pki_enroll_pt)(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e);

/* Says that there will be none, and why, where HTTP does not say it; returns
   NGX_BUSY, or what to finalize with. */
typedef ngx_int_t (*ngx_http_pki_enroll_refuse_pt)(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e, const char *message);


/*
 * An enrolment under way.  It is the request's, in its pool, and hangs on
 * ctx->data; what must outlive the request is copied.
 */

struct ngx_http_pki_enroll_s {
    ngx_http_pki_main_conf_t  *mcf;
    ngx_http_pki_enroll_conf_t  *conf;
    ngx_http_pki_profile_t    *profile;
    ngx_http_pki_issuer_t     *issuer;      /* of the profile */
    ngx_http_pki_enroll_pt     reply;
    ngx_http_pki_enroll_refuse_pt  refuse;  /* NULL: as all REST calls do */
    void                      *data;        /* of whoever replies */
    pki_csr_t                 *csr;
    X509                      *old;         /* that is renewed, or NULL */
    pki_serial_t               old_serial;
    ngx_http_pki_ticket_t      ticket;      /* of what was told last */
    ngx_uint_t                 asked;       /* how often */
    X509                      *cert;        /* issued */
    u_char                    *der;         /* of it */
    size_t                     len;
    pki_claim_t                claim;
    pki_serial_t               serial;
    ngx_uint_t                 tries;       /* to find a free one */
    ngx_uint_t                 directory;   /* of the issuer, asked now */
    char                       other[PKI_OBJECT_ID_SIZE];   /* the device's
                                               id there, if not its own */
    unsigned                   translate:1; /* is asked for now */
    unsigned                   unsure:1;    /* a directory that may have the
                                               name has told nothing yet */
    unsigned                   self:1;      /* for the caller itself only */
    char                       requester[PKI_STORE_WHO_MAX + 1];
};


/* POST csr */
ngx_int_t ngx_http_pki_enroll_csr(ngx_http_request_t *r,
    ngx_http_pki_api_t *a);

/* Makes it; it hangs on ctx->data from then on.  NULL: no memory. */
ngx_http_pki_enroll_t *ngx_http_pki_enroll_open(ngx_http_request_t *r,
    ngx_http_pki_enroll_pt reply);

/*
 * All return NGX_BUSY, and the request waits, or what to finalize with:
 * begin() enrols a caller, by the first profile that is for it; renew() goes
 * on from what ngx_http_pki_enroll_old() has found; the request is e->csr or,
 * when that is NULL, the body.  ask() asks what OCSP would say of e->old, or
 * else of e->serial: once, and once more if that may have changed when its
 * turn to be signed has come.
 */
ngx_int_t ngx_http_pki_enroll_begin(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e);
ngx_int_t ngx_http_pki_enroll_renew(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e);
ngx_int_t ngx_http_pki_enroll_ask(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e);

/*
 * The certificate that is to be renewed, DER: whose is it, and which profile
 * renews its like?  NGX_OK, and no reply was sent: go on with e->old; else
 * what to do as of begin().
 */
ngx_int_t ngx_http_pki_enroll_old(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e, pki_bytes_t der);

/* Draws a serial number and goes on with it; NGX_BUSY, or what to finalize
   with. */
ngx_int_t ngx_http_pki_enroll_reserve(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e);

/* Errors, counted; failed: 503, busy: 429, both to be tried again. */
ngx_int_t ngx_http_pki_enroll_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *message);
ngx_int_t ngx_http_pki_enroll_failed(ngx_http_request_t *r,
    const char *message);
ngx_int_t ngx_http_pki_enroll_busy(ngx_http_request_t *r);

/* What a wake begins with: the enrolment; and ends with: NGX_BUSY goes on
   waiting, else it is what to finalize with. */
ngx_http_pki_enroll_t *ngx_http_pki_enroll_of(ngx_http_request_t *r);
void ngx_http_pki_enroll_end(ngx_http_request_t *r, ngx_int_t rc);

void ngx_http_pki_enroll_count(ngx_http_request_t *r,
    ngx_http_pki_stat_e stat);


/* ngx_http_pki_resolve.c: from names to users, from devices to theirs */

/*
 * Both go on by themselves, the one with a serial number, the other with the
 * signature; NGX_BUSY, or what to finalize with.  e->directory is 0 at first.
 */
ngx_int_t ngx_http_pki_resolve(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e);
ngx_int_t ngx_http_pki_resolve_owner(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e);


/* ngx_http_pki_issue.c: signed, recorded, handed out */

/* With all of e that goes into the certificate; NGX_BUSY, or what to finalize
   with. */
ngx_int_t ngx_http_pki_issue(ngx_http_request_t *r, ngx_http_pki_enroll_t *e);


/* ngx_http_pki_verify.c: may there be a certificate for this object? */

/*
 * Each returns NGX_OK, and no reply was sent: go on; else what to finalize
 * with.
 *
 * The verdict, out of what the store told of the serial number: of the
 * certificate that is renewed, or of the one to be issued, which counts as
 * recorded.
 */
ngx_int_t ngx_http_pki_verify(ngx_http_request_t *r, ngx_http_pki_enroll_t *e,
    const ngx_http_pki_told_t *told);

/* Self-service, before anything is asked: the names. */
ngx_int_t ngx_http_pki_verify_self(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e);

/* Self-service: is this user ("user/<guid>"), bound or a device's owner, the
   caller? */
ngx_uint_t ngx_http_pki_verify_user(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e, const char *id);


/* ngx_http_pki_sign.c: one signature in each turn of the event loop */

typedef struct ngx_http_pki_sign_s  ngx_http_pki_sign_t;

/* Are there so many that wait already that another has no chance? */
ngx_uint_t ngx_http_pki_sign_busy(ngx_http_pki_main_conf_t *mcf);

/*
 * Lets the request wait for its turn: handler is woken with a reply that is
 * not NULL.  `again`: it had its turn already, and gets the next one.
 * NGX_BUSY: it waits; else what to finalize with, 429 when too many wait.
 */
ngx_int_t ngx_http_pki_sign_wait(ngx_http_request_t *r,
    ngx_http_pki_main_conf_t *mcf, ngx_http_pki_wake_pt handler,
    ngx_uint_t again);

/* Frees what still waits, at the end of the worker. */
void ngx_http_pki_sign_end(ngx_http_pki_worker_t *worker);


/* ngx_http_pki_est.c: Enrollment over Secure Transport (RFC 7030) */

char *ngx_http_pki_est(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_pki_est_handler(ngx_http_request_t *r);

/* The roles one of which this request needs; 0: none. */
ngx_uint_t ngx_http_pki_est_roles(ngx_http_request_t *r);


/* ngx_http_pki_scep.c: Simple Certificate Enrolment Protocol (RFC 8894) */

char *ngx_http_pki_scep(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_pki_scep_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_PKI_ENROLL_H_INCLUDED_ */
