# Users at risk: which levels and states count, when a risk ends, and what
# Entra ID Protection makes of its clients.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $t = PKI::Test->new;
my $d = PKI::Directory->new($t, entra => {
    text => 'resources users; risk medium high; page 4; backoff 600ms;',
});
my $g = $d->{sim}{graph};
my $n = $d->{nginx};
my ($true, $false) = (PKI::Sim::true, PKI::Sim::false);
my %user;

# a user for each case, by what counts and what does not

my %hold = (
    high      => { riskLevel => 'high' },
    medium    => { riskLevel => 'medium' },
    hidden    => { riskLevel => 'hidden' },
    future    => { riskLevel => 'unknownFutureValue' },
    null      => { riskLevel => undef },
    confirmed => { riskLevel => 'none', riskState => 'confirmedCompromised' },
);
my %good = (
    low       => { riskLevel => 'low' },
    none      => { riskLevel => 'none' },
    lowest    => { riskLevel => 'low', riskState => 'confirmedCompromised' },
    safe      => { riskState => 'confirmedSafe' },
    dismissed => { riskState => 'dismissed' },
    remedied  => { riskState => 'remediated' },
    over      => { riskState => 'none' },
    moving    => { isProcessing => $true },
);

sub user {
    my ($name) = @_;

    my $f = $g->add('user');

    return $user{$name} = { id => $f->{id},
                            cert => $d->cert($name, User => $f->{id}) };
}

sub risky { my ($name, %f) = @_; $g->add('riskyUser', %f,
                                         id => $user{$name}{id}) }

sub change { my ($name, %f) = @_;
             $g->change('riskyUser', $user{$name}{id}, %f) }

sub becomes { my ($name, @args) = @_; $d->becomes($user{$name}{cert}, @args) }

sub asked {
    my ($regex) = @_;
    return grep { $_->{target} =~ ($regex // qr/riskyUsers/) } $g->log;
}

sub error_is {
    my ($regex, $what) = @_;

    ok(wait_until(15, sub {
        ($d->resource('entra', 'risk')->{error} // '') =~ $regex
    }), $what) or diag($d->resource('entra', 'risk')->{error});
}

user($_) for keys %hold, keys %good, 'late';
becomes($_, 'good', "$_: no risk yet") for keys %user;

risky($_, %{ $hold{$_} }) for keys %hold;
risky($_, %{ $good{$_} }) for keys %good;
becomes($_, 'hold', "risk: $_") for sort keys %hold;
becomes($_, 'good', "no risk: $_") for sort keys %good;
is($n->ask($d->{ca}, $user{high}{cert})->{reason}, 6, 'certificateHold');

my ($first) = asked();

like($first->{target}, qr{riskState%20eq%20%27atRisk%27%20or%20
                          riskState%20eq%20%27confirmedCompromised%27
                          &\$select=id,riskState,riskLevel,isProcessing
                          &\$top=4$}x, 'what is asked for');

# while Graph makes up its mind a user stays what it was; then a risk ends

change('high', isProcessing => $true);
change('medium', riskState => 'remediated');
change('hidden', riskState => 'unknownFutureValue');
change('confirmed', riskState => 'confirmedSafe');
change('future', riskLevel => 'low');
$g->delete('riskyUser', $user{null}{id}, hard => 1);
becomes($_, 'good', "the end of a risk: $_")
    for qw(medium confirmed future null);
is($d->status($user{high}{cert}), 'hold', 'being processed: as it was');
becomes('hidden', 'good', 'a state that does not pass the filter: none');
change('high', isProcessing => $false, riskState => 'dismissed');
becomes('high', 'good', 'dismissed');
change('moving', isProcessing => $false);
becomes('moving', 'hold', 'processed: at risk');

# the directory ignores the filter: what is told counts all the same

$g->option(ignore_filter => $true);
$d->round('entra', 'risk');
is($d->status($user{moving}{cert}), 'hold', 'no filter: at risk');
is($d->status($user{$_}{cert}), 'good', "no filter: $_")
    for qw(remedied dismissed safe over medium);
$g->option(ignore_filter => $false);

# one request a second for all clients; a 429 does not say how long

change($_, riskState => 'atRisk', riskLevel => 'high')
    for qw(high medium confirmed future safe dismissed);
$g->option(risky_rate => 4);
$g->log_clear;
becomes($_, 'hold', "throttled: $_") for qw(high safe dismissed);

my @refused = grep { $_->{status} == 429 } asked();
my @links = map { $_->{target} } asked(qr/riskyUsers\?.*skiptoken/);
my %times;

$times{$_}++ for @links;
ok(scalar @refused, 'there were 429s');
ok((grep { $_ > 1 } values %times), 'the same page was asked for again');
is($d->resource('entra', 'risk')->{error}, undef, 'no round has failed');
$g->option(risky_rate => 0);

# The link of the last page is refused when all pages are full: 16 users by
# 4.  With another page size there is an end.

sub count {
    my ($n) = @_;

    my @at_risk = grep { $_->{riskState} =~ /atRisk|confirmedCompromised/ }
                  @{ $g->get('riskyUser') };

    $g->add('riskyUser') for @at_risk + 1 .. $n;
}

count(16);
$g->option(risky_last_page_bug => $true);
$g->log_clear;
ok($d->round('entra', 'risk'), 'rounds come to an end');
ok((grep { $_->{status} == 400 } asked()) < 2, 'not refused each time');
ok(scalar asked(qr/riskyUsers\?.*top=3$/), 'another page size');

count(24);
error_is(qr/last page of risky users is missing/,
         '24 users: refused with both page sizes');
change('high', riskLevel => 'low');
change('low', riskLevel => 'high');
becomes('low', 'hold', 'what was seen counts');
is($d->status($user{high}{cert}), 'hold', 'the end of a risk is not seen');
$g->option(risky_last_page_bug => $false);
becomes('high', 'good', 'a listing with an end: the risk is over');

# no licence: the others go on, and what was known stays

$g->option(risky_licence => $false);
error_is(qr/risky users refused with status 403.*no licence/, 'no licence');
like($n->log, qr/"risk": risky users refused with status 403/, 'the log');
is($d->status($user{safe}{cert}), 'hold', 'a risk that was known');
$g->change('user', $user{late}{id}, accountEnabled => $false);
becomes('late', 'hold', 'users go on');
$g->change('user', $user{late}{id}, accountEnabled => $true);
$g->option(risky_licence => $true);

# all levels; none

$n->stop;
$g->log_clear;

my $off = PKI::Directory->new($t, entra => {
    sim => $g, name => 'calm', text => 'resources users; risk off;',
});

$off->becomes($user{safe}{cert}, 'good', 'risk off: at risk');
is(scalar asked(), 0, 'risk off: not asked');
is_deeply([map { $_->{name} } @{ $off->directories->{calm}{resources} }],
          ['users'], 'risk off: users only');
$off->{nginx}->stop;

my $all = PKI::Directory->new($t, entra => {
    sim => $g, name => 'strict', text => 'resources users; risk low high;',
});

change('lowest', riskLevel => 'low');
change('moving', riskLevel => 'medium');
$all->becomes($user{lowest}{cert}, 'hold', 'risk low high: low');
$all->becomes($user{moving}{cert}, 'good', 'risk low high: medium');

# what is left of a risk that is no longer asked for does not count

$all->{nginx}->stop;

my $none = PKI::Directory->new($t, entra => {
    sim => $g, name => 'strict', text => 'resources users; risk off;',
});

$none->becomes($user{lowest}{cert}, 'good', 'risk off, later: at risk');

$t->done;
