# Every directive gets a wrong value once, and every mistake across blocks
# is made once: each dies in "nginx -t" with a sentence that names what is
# wrong in quotes, and where.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $dir = $t->{dir};
my $ca = $t->ca('ca');
my $other = $t->ca('other');
my $leaf = $t->cert($ca, 'leaf');
my $responder = $t->cert($ca, 'responder', serial => '0101', ext =>
                         "extendedKeyUsage=OCSPSigning\n");
my $no_eku = $t->cert($ca, 'no-eku', serial => '0102');
my $foreign = $t->cert($other, 'foreign', serial => '0103', ext =>
                       "extendedKeyUsage=OCSPSigning\n");
my $key = "$dir/leaf.key";

$t->token('admin', 'manage');
spew("$dir/secret", "hush\n");
spew("$dir/empty");
spew("$dir/garbage", "garbage\n");
spew("$dir/serial.keys", '0 ' . '00' x 16 . "\n");

# a CA that may not sign lists

my $no_crl = "$dir/no_crl.pem";

run_ok('openssl', 'req', '-new', '-x509', '-key', $t->key('no_crl'), '-subj',
       '/CN=no crl', '-out', $no_crl, '-addext',
       'basicConstraints=critical,CA:TRUE', '-addext',
       'keyUsage=critical,keyCertSign');

# an expired certificate needs a CA that can back-date

run_ok('openssl', 'req', '-new', '-key', $key, '-subj', '/CN=expired', '-out',
       "$dir/expired.csr");
spew("$dir/db");
spew("$dir/expired.cnf", <<"END");
[ca]
default_ca = a
[a]
database = $dir/db
new_certs_dir = $dir
rand_serial = yes
default_md = sha256
policy = p
x509_extensions = e
[p]
commonName = supplied
[e]
extendedKeyUsage = OCSPSigning
END
run_ok('openssl', 'ca', '-config', "$dir/expired.cnf", '-batch', '-notext',
       '-in', "$dir/expired.csr", '-cert', $ca, '-keyfile', "$dir/ca.key",
       '-startdate', '20200101000000Z', '-enddate', '20200102000000Z',
       '-out', "$dir/expired.pem");

my $n = $t->nginx(start => 0);

$t->allow(qr/\[emerg\]/);


# what a configuration is made of, each part replaceable

sub conf {
    my (%o) = @_;

    my $store = $o{store} // "address unix:$dir/none.sock; $o{in_store}";
    my $issuer = $o{issuer}
                 // "certificate $ca; key $dir/ca.key; $o{in_issuer}";

    my $blocks = $o{blocks}
                 // "pki_store main {\n $store\n }\n"
                    . "pki_issuer demo {\n $issuer\n }\n";

    return <<"END";
load_module $t->{build}/ngx_http_pki_module.so;
pid $n->{dir}/nginx.pid;
error_log $n->{dir}/error.log;
events { }
http {
access_log off;
client_body_temp_path $n->{dir}/temp/client_body;
proxy_temp_path $n->{dir}/temp/proxy;
fastcgi_temp_path $n->{dir}/temp/fastcgi;
uwsgi_temp_path $n->{dir}/temp/uwsgi;
scgi_temp_path $n->{dir}/temp/scgi;
$o{http}
@{[ $o{after} ? '' : $blocks ]}
server {
listen 127.0.0.1:$n->{port};
$o{server}
@{[ $o{locations} // "location /ocsp { $o{location} pki_ocsp; }" ]}
}
@{[ $o{after} ? $blocks : '' ]}
}
END
}

sub check {
    my (%o) = @_;

    $_ //= '' for @o{qw(http in_store in_issuer server location)};
    $n->configure(conf => conf(%o));

    return $n->check;
}

sub fine {
    my ($name, %o) = @_;

    my ($status, $text) = check(%o);

    is($status, 0, $name) or diag($text);
}

# $quoted: what the sentence has in quotes, or a pattern of the whole of it

sub refused {
    my ($name, $quoted, %o) = @_;

    my ($status, $text) = check(%o);
    # nginx itself speaks first of files that it loads
    my $line = ($text =~ /^nginx: \[emerg\] (.*)/mg)[-1];

    isnt($status, 0, "$name: refused");
    $quoted = qr/"[^"]*\Q$quoted\E[^"]*"/ unless ref $quoted;

    like($line // $text, $quoted, "$name: names it") or return;
    like($line, qr/ in \S+nginx\.conf:\d+( \(SSL: .*\))?$/,
         "$name: and the line");
}


fine('the plain configuration');
fine('blocks after their use', after => 1);
fine('an issuer before its store', blocks =>
     "pki_issuer demo { store s; certificate $ca; key $dir/ca.key; }"
     . "pki_store s { address 127.0.0.1; }");
fine('everything', http => 'pki_zone 2m; pki_news_timeout 3s;'
     . 'pki_stale_answers off; pki_directory h push { max_age 1h last; }'
     . 'pki_directory a entra { url https://graph.microsoft.us; tenant t;'
     . 'token_url https://login.microsoftonline.us/t/oauth2/v2.0/token;'
     . 'scope https://graph.microsoft.us/.default; client c;'
     . "client_secret_file $dir/secret; poll on; plain_http off;"
     . "ca_file $ca; proxy http://127.0.0.1:3128; connect_timeout 3s;"
     . 'request_timeout 30s; stall_timeout 5s; max_size 8m; interval 20s;'
     . 'full 12h; backoff 1m; confirm 2m; settle 30s; page 500; lookups 5;'
     . 'lookup_timeout 1s; restore on; absent later; compliance on grace=30m;'
     . 'risk medium high; resources devices users; max_age 2h later;'
     . "guard 20% min=5 rounds=2; hook_url https://pki.example/hook;"
     . "hook_secret_file $dir/secret; }", in_store => 'database 3; user u;'
     . "secret_file $dir/secret; timeout 500ms; tls on; tls_name localhost;"
     . "tls_ca_file $ca;", in_issuer => 'responder auto key=rsa2048 valid=12h '
     . "backdate=1h; serial sealed; serial_key $dir/serial.keys;"
     . 'validity good 1m hold 2m revoked 1d; store main; unknown serial;'
     . 'extended_revoke on; archive_cutoff 1y; directory a; directory h;'
     . 'crl all valid=1h renew=10m delay=100ms delta=20m;'
     . 'devices all; reason deleted keyCompromise retired superseded '
     . 'endpoint aaCompromise;',
     location => 'pki_ocsp_max_certs 3; pki_ocsp_max_size 4k;',
     server => "pki_api_tokens $dir/tokens; location /api/ { pki_api demo; }"
     . 'location /s { pki_status; } location /p { pki_status prometheus; }'
     . 'location /probe { pki_status probe; }'
     . 'location /hook { pki_hook a; }');


# http

refused("$_->[0] $_->[1]", $_->[0], http => "$_->[0] $_->[1];")
    for ['pki_zone', 'big'], ['pki_news_timeout', 'soon'],
        ['pki_news_timeout', '0'], ['pki_stale_answers', 'maybe'],
        ['pki_ocsp_max_certs', 'x'], ['pki_ocsp_max_size', 'x'];

refused('pki_zone 1k', qr/^pki_zone .* is too small/, http => 'pki_zone 1k;');
refused('pki_ocsp_max_certs 0', qr/^value must be between 1 and 256/,
        http => 'pki_ocsp_max_certs 0;');

refused('pki_zone twice', 'pki_zone', http => 'pki_zone 1m; pki_zone 1m;');
refused('a directive of ours outside of http', 'pki_zone',
        server => 'pki_zone 1m;');


# pki_store

refused("pki_store: $_->[0]", $_->[1], in_store => "$_->[0];")
    for ['database many', 'database'], ['database -1', 'database'],
        ['timeout never', 'timeout'], ['timeout 0', 'timeout'],
        ['tls perhaps', 'tls'], ['user u', 'user'],
        ["secret_file $dir/none", "$dir/none"],
        ["secret_file $dir/empty", "$dir/empty"],
        ['tls on', 'tls_ca_file'], ["tls_ca_file $ca", 'tls_ca_file'],
        ['tls_name x', 'tls_name'], ['address 127.0.0.1:1', 'address'],
        ["tls on; tls_name x; tls_ca_file $dir/none", "$dir/none"],
        ["tls on; tls_name x; tls_ca_file $dir/garbage", "$dir/garbage"],
        ['certificate x', 'certificate'], ['nonsense 1', 'nonsense'];

refused('pki_store: no address', 'address', store => 'timeout 1s;');
refused("pki_store: address $_", $_, store => "address $_;")
    for '127.0.0.1:99999', 'unix:', 'host.invalid:1';
refused("pki_store \"$_\"", $_, blocks => "pki_store \"$_\" { address "
        . "127.0.0.1; } pki_issuer demo { certificate $ca; "
        . "key $dir/ca.key; }") for 'a b', 'x{y', 'n' x 65;
refused('two pki_store of one name', 'main',
        http => 'pki_store main { address 127.0.0.1; }');


# pki_issuer

refused("pki_issuer: $_->[0]", $_->[1], in_issuer => "$_->[0];")
    for ["certificate $ca", 'certificate'], ["key $dir/ca.key", 'key'],
        ['responder maybe', 'maybe'], ['responder auto key=dsa', 'key=dsa'],
        ['responder auto valid=0', 'valid=0'],
        ['responder auto backdate=x', 'backdate=x'],
        ['responder ca now', 'responder'], ['responder file', 'responder'],
        ["responder file $dir/none $key", "$dir/none"],
        ["responder file $responder $dir/none", "$dir/none"],
        ["responder file $responder $dir/garbage", "$dir/garbage"],
        ["responder file $responder $dir/ca.key", 'demo'],
        ["responder file $no_eku $key", 'demo'],
        ["responder file $foreign $key", 'demo'],
        ["responder file $dir/expired.pem $key", 'demo'],
        ['serial round', 'round'], ['serial sealed', 'serial_key'],
        ["serial_key $dir/none", "$dir/none"],
        ["serial_key $dir/garbage", "$dir/garbage"],
        ['validity good 0', '0'], ['validity bad 1m', 'bad'],
        ['validity good', 'good'], ['store none', 'none'],
        ['unknown good', 'good'], ['extended_revoke so', 'extended_revoke'],
        ['archive_cutoff old', 'archive_cutoff'],
        ['directory none', 'none'], ['directory a entra', 'directory'],
        ['directory a; directory a', 'a'], ['devices some', 'some'],
        ['reason deleted certificateHold', 'certificateHold'],
        ['reason lost superseded', 'lost'], ['reason deleted', 'reason'],
        ['crl some', 'some'], ['crl', 'crl'], ['crl all; crl all', 'crl'],
        ['crl all valid=0', 'valid=0'], ['crl all delay=x', 'delay=x'],
        ['crl all delay=2h', 'delay=2h'], ['crl all delta=', 'delta='],
        ['crl all later=1m', 'later=1m'],
        ['crl all valid=1h renew=1h', 'renew'],
        ['crl all valid=1h delta=2h', 'delta'],
        ['address 127.0.0.1', 'address'], ['nonsense 1', 'nonsense'];

refused("pki_issuer: $_->[0]", $_->[1], issuer => "$_->[0];")
    for ["key $dir/ca.key", 'certificate'], ["certificate $ca", 'key'],
        ["certificate $dir/none; key $dir/ca.key", "$dir/none"],
        ["certificate $dir/garbage; key $dir/ca.key", "$dir/garbage"],
        ["certificate $ca; key $dir/none", "$dir/none"],
        ["certificate $ca; key $dir/garbage", "$dir/garbage"],
        ["certificate $ca; key $dir/other.key", 'demo'],
        ["certificate $leaf; key $key", 'demo'],
        ["certificate $ca; responder file $responder $key; crl manual",
         'key'],
        ["certificate $no_crl; key $dir/no_crl.key; crl manual", 'demo'],
        ["certificate $ca; key engine:none:x", 'engine:none:x'],
        ["certificate $ca; key engine:", 'engine:'],
        ["certificate $ca; key store:file:$dir/none", "$dir/none"];

# pki_directory

my $login = "tenant t; client c; client_secret_file $dir/secret;";

sub directory {
    my ($name, $quoted, $text, $dialect) = @_;

    refused("pki_directory: $name", $quoted, in_issuer => 'directory d;',
            http => 'pki_directory d ' . ($dialect // 'entra')
                    . " { $text }");
}

directory($_->[0], $_->[1], "$login $_->[0];")
    for ['url http://graph.microsoft.com', 'url'],
        ['url https://user@graph.microsoft.com', 'url'],
        ['token_url http://login.example/', 'token_url'],
        ['tenant u', 'tenant'], ['client d', 'client'],
        ['scope a; scope b', 'scope'], ['account a; account b', 'account'],
        ['ca_scope a; ca_scope b', 'ca_scope'],
        ["client_secret_file $dir/secret", 'client_secret_file'],
        ["hook_secret_file $dir/none", "$dir/none"],
        ["client_certificate $dir/none", "$dir/none"],
        ["client_key $dir/none", "$dir/none"],
        ["client_certificate $ca", 'client_key'],
        ["client_key $key", 'client_certificate'],
        ["client_certificate $ca; client_key $key", 'client_key'],
        ['poll maybe', 'poll'], ['plain_http so', 'plain_http'],
        ['ca_file a; ca_file b', 'ca_file'],
        ['proxy a; proxy b', 'proxy'], ['connect_timeout 0', 'connect_timeout'],
        ['request_timeout x', 'request_timeout'],
        ['stall_timeout 0', 'stall_timeout'], ['max_size x', 'max_size'],
        ['interval 0', 'interval'], ['full x', 'full'],
        ['backoff 0', 'backoff'], ['confirm x', 'confirm'],
        ['settle x', 'settle'], ['page many', 'page'],
        ['lookups none', 'lookups'], ['lookup_timeout x', 'lookup_timeout'],
        ['restore maybe', 'restore'], ['absent gone', 'gone'], ['wipe maybe', 'wipe'],
        ['compliance maybe', 'maybe'], ['compliance on grace=x', 'grace=x'],
        ['risk extreme', 'extreme'], ['risk off high', 'off'],
        ['unmanaged x', 'unmanaged'], ['silent x', 'silent'],
        ['endpoint_list x', 'endpoint_list'],
        ['revocations x', 'revocations'],
        ['external_id a', 'a'], ['resources groups', 'groups'],
        ['resources jamf-users', 'jamf-users'],
        ['hook_url http://pki.example/', 'hook_url'],
        ['hook_url https://pki.example/', 'hook_secret_file'],
        ['max_age x', 'max_age'], ['max_age 1h never', 'never'],
        ['guard 10', '10'], ['guard ""', 'guard'], ['guard 101%', '101%'],
        ['guard 10% min=x', 'min=x'], ['guard 10% most=1', 'most=1'],
        ['directory d', 'directory'], ['nonsense 1', 'nonsense'];

refused("pki_directory: page $_", qr/^value must be (between|equal)/,
        in_issuer => 'directory d;',
        http => "pki_directory d entra { $login page $_; }") for 0, 2001;

directory('no tenant', 'tenant', "client c; client_secret_file $dir/secret;");
directory('no client', 'client', "tenant t; client_secret_file $dir/secret;");
directory('no secret', 'client_secret_file', 'tenant t; client c;');
directory('jamf without url', 'url',
          "client c; client_secret_file $dir/secret;", 'jamf');
directory('scim without url', 'url', "client_secret_file $dir/secret;", 'scim');
directory('another dialect', 'ldap', $login, 'ldap');

refused('pki_directory "a b"', 'a b', http => 'pki_directory "a b" push { }');
refused('two pki_directory of one name', 'd',
        http => 'pki_directory d push { } pki_directory d push { }');
refused('pki_directory without an issuer', 'pki_directory',
        blocks => 'pki_directory d push { }');
refused('pki_hook of nothing', 'none',
        server => 'location /h { pki_hook none; }');
refused('pki_hook without a secret', 'hook_secret_file',
        http => 'pki_directory d push { }', in_issuer => 'directory d;',
        server => 'location /h { pki_hook d; }');


refused('two pki_issuer of one name', 'demo',
        http => "pki_issuer demo { certificate $other; key $dir/other.key; }");
refused('two pki_issuer of one CA', 'twin',
        http => "pki_issuer twin { certificate $ca; key $dir/ca.key; }");
refused('no pki_store', 'demo', blocks => "pki_issuer demo { certificate $ca;"
        . "key $dir/ca.key; }");
refused('two stores and no word which', 'demo',
        http => 'pki_store second { address 127.0.0.1:1; }');


# locations

refused('pki_ocsp: an unknown issuer', 'nobody',
        locations => 'location /o { pki_ocsp demo nobody; }');
refused('pki_ocsp without an issuer', 'pki_ocsp', blocks => '');
refused('pki_ocsp at server level', 'pki_ocsp', server => 'pki_ocsp;');
refused('pki_ocsp in a regex location', 'pki_ocsp',
        locations => 'location ~ ^/o { pki_ocsp; }');
refused('pki_ocsp twice', 'pki_ocsp',
        locations => 'location /o { pki_ocsp; pki_ocsp; }');
refused('pki_ocsp and pki_status', 'pki_status',
        locations => 'location /o { pki_ocsp; pki_status; }');
refused('pki_api: an unknown issuer', 'nobody', locations =>
        "location /a { pki_api_tokens $dir/tokens; pki_api nobody; }");
refused('pki_api without tokens', 'pki_api_tokens',
        locations => 'location /a { pki_api; }');
refused('pki_api_tokens: no file', "$dir/none",
        http => "pki_api_tokens $dir/none;");
refused('pki_api_tokens: none in it', "$dir/empty",
        http => "pki_api_tokens $dir/empty;");
refused('pki_api_tokens: garbage', "$dir/garbage",
        http => "pki_api_tokens $dir/garbage;");
refused('pki_api_tokens: an unknown role', "$dir/role", http =>
        'pki_api_tokens ' . spew("$dir/role", 'a' x 64 . " god me\n") . ';');
refused('pki_status xml', 'xml', locations => 'location /s { pki_status xml; }');


# profiles and enrolment

sub profile {
    my ($name, $quoted, $text, %o) = @_;

    refused($name, $quoted, http => "pki_profile web { $text }", %o);
}

fine('a profile', http => <<'END', locations => <<"END2");
pki_signatures 10;
pki_profile web {
    issuer demo; callers web* *.example; bind directory;
    subject CN=*.example; san dns:*.example ip:10.*; eku clientAuth 1.2.3.*;
    default_eku clientAuth 1.3.6.1.5.5.7.3.1; default_key_usage keyAgreement;
    requested_usage on; keys rsa p256 p384 p521 ed25519; lifetime 1h;
    backdate 1h; requested_sid on; renew Static IntuneDevice JamfUser;
    microsoft_extensions on tenant=0a1b2c3d-1111-4222-8333-444455556666;
    source StaticAAD;
}
END
location /est/ {
    pki_est; pki_enroll web; pki_record off; pki_api_tokens $dir/tokens;
    pki_client_certificate \$http_cert;
}
END2
fine('what an issuer puts into certificates', in_issuer =>
     'ocsp_url http://a/; ca_issuers_url http://a/ ldap://b/; lifetime 30d;'
     . 'crl_url http://a/crl; delta_crl_url https://a/delta;');

profile('pki_profile: a bad name', 'a b', '', http =>
        'pki_profile "a b" { }');
profile('pki_profile twice', 'web', '', http =>
        'pki_profile web { } pki_profile web { }');
profile('issuer: unknown', 'nobody', 'issuer nobody;');
profile('issuer: none and two', 'web', '', http =>
        "pki_profile web { } pki_issuer b { certificate $other;"
        . "key $dir/other.key; }");
profile('issuer: cannot sign', 'demo', '', issuer =>
        "certificate $ca; responder file $responder $key;");
profile('callers: empty', 'callers', 'callers "";');
profile('bind', 'everyone', 'bind everyone;');
profile('bind twice', 'bind', 'bind dc; bind dc;');
profile('subject: empty', 'subject', 'subject a "";');
profile('san: of no type', '*.example', 'san *.example;');
profile('eku', 'nothing', 'eku clientAuth nothing;');
profile('eku: a pattern of a name', 'client*', 'eku client*;');
profile('default_eku', '1.x', 'default_eku 1.x;');
profile('default_key_usage', 'keyCertSign',
        'default_key_usage digitalSignature keyCertSign;');
profile('requested_usage', 'maybe', 'requested_usage maybe;');
profile('keys', 'dsa', 'keys rsa dsa;');
profile('lifetime', 'lifetime', 'lifetime 0;');
profile('lifetime: too long', 'lifetime', 'lifetime 30y;');
profile('backdate', 'backdate', 'backdate yesterday;');
profile('backdate: too long', 'backdate', 'backdate 30y;');
profile('microsoft_extensions', 'microsoft_extensions',
        'microsoft_extensions on;');
profile('microsoft_extensions: no GUID', 'tenant=x',
        'microsoft_extensions on tenant=x;');
profile('requested_sid', 'maybe', 'requested_sid maybe;');
profile('renew', 'Everything', 'renew Static Everything;');
profile('source', 'Nowhere', 'source Nowhere;');
refused('pki_signatures', qr/value must be between 1 and 100000/,
        http => 'pki_signatures 0;');
refused('pki_enroll: an unknown profile', 'nobody', locations =>
        "location /a { pki_api; pki_api_tokens $dir/tokens;"
        . 'pki_enroll nobody; }');
refused('pki_est without pki_enroll', 'pki_enroll', locations =>
        "location /a { pki_est; pki_api_tokens $dir/tokens; }");
refused('pki_est with a name', 'pki_est',
        locations => 'location /a { pki_est demo; }');
refused('pki_record', 'maybe', http => 'pki_record maybe;');
refused('pki_client_certificate', 'pki_client_certificate',
        http => 'pki_client_certificate $host $uri;');

for (qw(ocsp_url ca_issuers_url crl_url delta_crl_url)) {
    refused($_, 'ftp://a/', in_issuer => "$_ ftp://a/;");
}

refused('ocsp_url: too many', 'ocsp_url', in_issuer => 'ocsp_url http://a/ '
        . 'http://b/ http://c/ http://d/;');
refused('lifetime', 'lifetime', in_issuer => 'lifetime never;');


unlike($n->log, qr/hush|0000000000000000/, 'no secret in the log');


# an expired responder is refused only when one starts, the rest at -t; the
# annotated example is right as it stands

my $example = slurp("$PKI::Test::top/conf/nginx.conf");

for (['modules/ngx_http_pki_module.so', "$t->{build}/ngx_http_pki_module.so"],
     ['user www-data;', ''], ['/run/nginx.pid', "$dir/nginx.pid"],
     ['/var/log/nginx/', "$dir/"], ['/etc/nginx/pki/', "$dir/"],
     ['listen 80 ', "listen 127.0.0.1:$n->{port} "])
{
    my ($from, $to) = @$_;

    ok($example =~ s/\Q$from\E/$to/g, "conf/nginx.conf has $from");
}

$n->configure(conf => $example);
my ($status, $text) = $n->check;
is($status, 0, 'conf/nginx.conf') or diag($text);

delete $n->{pid};
$t->done;
