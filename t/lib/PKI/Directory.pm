package PKI::Directory;

# A story about a directory: simulators, the nginx that polls them, and a
# certificate for each object, with one word for what OCSP says of it.
#
#     my $d = PKI::Directory->new($t, entra => { text => 'restore on;' });
#     my $dev = $d->{sim}{graph}->add('device');
#     my $cert = $d->cert('laptop', Device => $dev->{deviceId});
#     $d->becomes($cert, 'good', 'enrolled');

use strict;
use warnings;

use Time::HiRes qw(time sleep);

use PKI::Sim;
use PKI::Test;

our $secret = 'S3cr~t.with+/=and%';

my %sim = (entra => 'graph', intune => 'graph', jamf => 'jamf',
           scim => 'scim');

# what a poll takes in a story: soon, and without the patience for a cluster

our $quick = 'interval 200ms; backoff 1s; confirm 0s; settle 0s; guard off;'
             . 'lookups 100;';


# dialect => { text => more directives, sim => a running simulator, options =>
# of a new one }; nginx => { options of PKI::Nginx }, start => 0, name =>
# of the directory if not that of its dialect

sub new {
    my ($class, $t, %o) = @_;

    my $nginx = delete $o{nginx} || {};
    my $d = bless { t => $t, sim => {}, n => 0 }, $class;

    $d->{ca} = $t->{dir} . '/ca.pem';
    $t->ca('ca') unless -e $d->{ca};
    $t->redis unless $t->{redis}{redis};
    $d->{token} = $t->token('stories', 'manage');

    for my $dialect (sort keys %o) {
        my $c = $o{$dialect};
        my $what = $sim{$dialect};

        $d->{sim}{$what} = $c->{sim} if $c->{sim};
        $d->{sim}{$what} ||= PKI::Sim->new($what, dir => $t->{dir},
                                           %{ $c->{new} || {} },
                                           options => $c->{options})
            if $what;

        $d->{directories}{ $c->{name} || $dialect }
            = [$dialect, $d->block($dialect, %$c)];
    }

    $d->{nginx} = $t->nginx(workers => 2, issuer => 'unknown serial;',
                            directories => $d->{directories}, %$nginx);

    return $d;
}

# the directives that point a dialect at its simulator

sub block {
    my ($d, $dialect, %c) = @_;

    my $t = $d->{t};
    my $sim = $sim{$dialect} && $d->{sim}{ $sim{$dialect} };
    my $text = $c{text} // '';

    return $text unless $sim;

    my $url = $c{url} // $sim->url;
    my $file = "$t->{dir}/$dialect.secret";
    my $quick = exists $c{quick} ? $c{quick} : $quick;

    # what the story says itself is not said twice
    $quick = join '', map { /^\s*(\w+)/ && $text =~ /(^|;|\s)$1\s/
                            ? () : "$_;" } grep { /\S/ } split /;/, $quick;

    PKI::Test::spew($file, ($c{secret}
                            // ($dialect eq 'scim' ? 'scim-secret'
                                : $dialect eq 'jamf' ? $d->jamf_secret
                                : $secret)) . "\n");

    my $login = $c{login} // {
        entra => 'client 11111111-2222-4333-8444-555555555555;'
                 . "token_url $url/0a1b2c3d-1111-4222-8333-444455556666"
                 . '/oauth2/v2.0/token;'
                 . 'scope https://graph.microsoft.com/.default;',
        jamf  => 'client ' . ($d->jamf_client // '') . ';',
        scim  => '',
    }->{$dialect eq 'intune' ? 'entra' : $dialect};

    $url .= '/scim/v2' if $dialect eq 'scim';

    my $plain = $url =~ /^http:/ ? 'plain_http on;' : '';

    return "url $url; $login client_secret_file $file; $plain $quick $text";
}

sub jamf_client { my $s = $_[0]{sim}{jamf}; $s && $s->option->{client_id} }
sub jamf_secret { $_[0]{sim}{jamf}->option->{client_secret} }


# a certificate bound to an object: kind, id, and a Jamf user's id

sub cert {
    my ($d, $name, $kind, $id, $user) = @_;

    my @id = $id =~ /-/ ? (guid => $id) : (id => $id);
    push @id, user => $user if defined $user;

    return $d->{t}->cert($d->{ca}, $name . '-' . ++$d->{n}, kind => $kind,
                         @id);
}

# good, hold, revoked, unknown, tryLater

sub status {
    my ($d, $cert, %o) = @_;

    my $r = ($o{nginx} || $d->{nginx})->ask($d->{ca}, $cert);

    return $r->{status} unless $r->{cert};
    return 'hold' if $r->{cert} eq 'revoked' && ($r->{reason} // -1) == 6;
    return $r->{cert};
}

# within seconds, and then in every worker

sub becomes {
    my ($d, $cert, $status, $what, $limit) = @_;

    my $start = time;
    my $is = '';

    my $ok = PKI::Test::wait_until($limit // 10, sub {
        ($is = $d->status($cert)) eq $status
    });

    Test::More::ok($ok, "$what: $status") or Test::More::diag("it is $is");

    return time - $start;
}

# it is so for all of a time: nothing may make it otherwise in between

sub stays {
    my ($d, $cert, $status, $what, $time) = @_;

    my $end = time + ($time // 1);
    my $is = $status;

    while (time < $end && $is eq $status) {
        $is = $d->status($cert);
        sleep 0.02;
    }

    Test::More::is($is, $status, "$what: stays $status");
}

# rounds of a resource, by the REST call

sub directories {
    my ($d, %o) = @_;

    my $r = ($o{nginx} || $d->{nginx})->http('GET', '/api/directories',
                                 headers => { Authorization => "Bearer $d->{token}" });

    die "directories: $r->{status}\n" unless $r->{status} == 200;

    return { map { $_->{name} => $_ } @{ JSON::PP::decode_json($r->{body}) } };
}

sub resource {
    my ($d, $directory, $resource) = @_;

    my ($r) = grep { $_->{name} eq $resource }
              @{ $d->directories->{$directory}{resources} };

    return $r;
}

# waits until a round that began after now is over, and one is complete: their
# number is that of the last begun, at once; what REST tells may be a second old

sub round {
    my ($d, $directory, $resource) = @_;

    my $number = sub {
        $d->{t}->redis_cli('HGET', "pki:{$directory}:sync",
                           "$resource.round") || 0;
    };
    my $complete = sub {
        ($d->resource($directory, $resource) || {})->{rounds} // 0;
    };
    my ($begun, $before) = ($number->(), $complete->());

    return PKI::Test::wait_until(15, sub {
        $number->() >= $begun + 2 && $complete->() > $before
    });
}

1;
