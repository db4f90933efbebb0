# The module is loaded and nothing of it is used: no link, no zone, no
# change of anything.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;

sub conf {
    my ($n, $module, $text) = @_;

    my $user = $> ? '' : 'user root;';

    return $n->configure(conf => <<"END");
@{[ $module ? "load_module $t->{build}/ngx_http_pki_module.so;" : '' ]}
daemon off;
$user
pid $n->{dir}/nginx.pid;
error_log $n->{dir}/error.log debug;
events { }
http {
    access_log off;
    client_body_temp_path $n->{dir}/temp/client_body;
    proxy_temp_path $n->{dir}/temp/proxy;
    fastcgi_temp_path $n->{dir}/temp/fastcgi;
    uwsgi_temp_path $n->{dir}/temp/uwsgi;
    scgi_temp_path $n->{dir}/temp/scgi;
    @{[ $text // '' ]}
    server {
        listen 127.0.0.1:$n->{port};
        location / { return 204; }
    }
}
END
}

my $n = $t->nginx(start => 0);
my $usual;

sub sockets {
    my ($worker) = $n->workers;

    return scalar grep { /^socket/ } map { readlink // '' }
                  glob "/proc/$worker/fd/*";
}

for my $module (0, 1) {
    conf($n, $module);
    $n->start;
    sleep 0.2;
    $usual //= sockets();

    is(sockets(), $usual, "module $module: sockets of a worker");
    is($n->http('GET', '/')->{status}, 204, 'nginx serves');
    ok($n->reload, 'and reloads');
    is($n->http('GET', '/')->{status}, 204, 'and serves');
    unlike($n->log, qr/pki[ _](?!module)/, 'no line of ours');
    $n->stop;
    unlink "$n->{dir}/error.log";
}

# a store without an issuer is not connected to either

my $redis = $t->redis;

conf($n, 1, "pki_store s { address unix:$redis->{socket}; }");
$n->start;
is($n->http('GET', '/')->{status}, 204, 'a store and no issuer');
unlike($t->redis_cli('client', 'list'), qr/nginx-pki/, 'no link');
$n->stop;

$t->done;
