# Clocks that differ: of the replicas of a directory, of the directory and us,
# and dates in all the forms that they may have.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;
use POSIX qw(strftime);

my $t = PKI::Test->new;
my $patient = 'resources devices; settle 3s; confirm 2s;';

sub enabled { return (accountEnabled => JSON::PP::true) }
sub disabled { return (accountEnabled => JSON::PP::false) }

# the words that a certificate goes through in a time, in each of them

sub courses {
    my ($cert, $time, @d) = @_;

    my @course = map { [] } @d;
    my $end = time + $time;

    while (time < $end) {
        for (0 .. $#d) {
            my ($c, $is) = ($course[$_], $d[$_]->status($cert));

            push @$c, $is if !@$c || $c->[-1] ne $is;
        }

        sleep 0.02;
    }

    return @course;
}

# C19: every other answer is a second old; one directory is listed, the other
# asked for changes, which it tells again and again

{
    my $d = PKI::Directory->new($t, entra => {
        name => 'lists', options => { replicas => 1, delta_replay => 2 },
        text => "full 0; $patient",
    });
    my $g = $d->{sim}{graph};
    my $e = PKI::Directory->new($t, entra => {
        name => 'tells', sim => $g, text => $patient,
    });
    my @device = map { $g->add('device') } 1 .. 3;
    my @cert = map { $d->cert('lag', Device => $_->{deviceId}) } @device;
    my $becomes = sub {
        $_->becomes($cert[$_[0]], $_[1], "C19: $_[2]", 15) for $d, $e;
    };

    is_deeply([grep { !/^(tryLater|good)$/ } map { @$_ }
               courses($cert[0], 2, $d, $e)], [],
              'C19: a new one is not told revoked');
    $becomes->($_, 'good', 'enrolled') for 0 .. 2;

    $g->change('device', $device[0]{id}, disabled);
    $g->delete('device', $device[1]{id});
    $becomes->(0, 'hold', 'disabled');
    is_deeply([courses($cert[0], 1.5, $d, $e)], [['hold'], ['hold']],
              'C19: and stays');
    $becomes->(1, 'revoked', 'deleted');
    is_deeply([courses($cert[1], 1.5, $d, $e)], [['revoked'], ['revoked']],
              'C19: and stays');
    is($_->status($cert[2]), 'good', 'C19: the third is good') for $d, $e;

    $g->change('device', $device[0]{id}, enabled);

    for (courses($cert[0], 7, $d, $e)) {
        is($_->[-1], 'good', 'C19: enabled again, at the end');
        cmp_ok(scalar @$_, '<=', 4, 'C19: no flapping') or diag("@$_");
    }

    $_->{nginx}->stop for $d, $e;
    $g->stop;
}

# C24: clocks and dates

for my $skew (600, -600) {
    my $d = PKI::Directory->new($t, entra => {
        name => $skew > 0 ? 'ahead' : 'behind',
        text => 'full 0; resources devices; compliance on grace=1d;',
    });
    my $g = $d->{sim}{graph};
    my $now = time;
    my $iso = sub {
        return strftime('%Y-%m-%dT%H:%M:%S', gmtime($now + shift)) . shift;
    };
    my @date = (
        [$iso->(-3600, 'Z'), 'good'], [$iso->(-86300, '.1Z'), 'good'],
        [$iso->(-3600, '.1234567Z'), 'good'],
        [$iso->(-3600, '.1234567890123Z'), 'good'],
        [$iso->(-3600 + 7200, '+02:00'), 'good'],
        [$iso->(-3600 - 37800, '-10:30'), 'good'],
        [$iso->(-7200, 'Z') =~ s/\d\dZ$/60Z/r, 'good'],
        [$iso->(-86500, '+00:00'), 'hold'],
        [$iso->(-86400 - 3600, 'Z'), 'hold'],
        ['0001-01-01T00:00:00Z', 'hold'],
        ['9999-12-31T23:59:59.9999999Z', 'hold'],
        ['2016-12-31T23:59:60Z', 'hold'], ['2026-13-45T25:61:61Z', 'hold'],
        ['99999999999-01-01T00:00:00Z', 'hold'], ['', 'hold'],
    );
    my @object = map {
        { kind => 'device', isCompliant => JSON::PP::false,
          registrationDateTime => $_->[0] }
    } @date;

    $g->clock(skew => $skew);

    my @device = $skew > 0 ? @{ $g->add_all(@object) } : ();

    for (0 .. $#device) {
        my $cert = $d->cert('date', Device => $device[$_]{deviceId});

        $d->becomes($cert, $date[$_][1], "C24: registered $date[$_][0]");
    }

    my $device = $g->add('device');
    my $cert = $d->cert('clock', Device => $device->{deviceId});

    $d->becomes($cert, 'good', "C24: a clock $skew seconds off");
    $g->log_clear;
    $g->fault({ path => 'devices\?', do => { status => 429, headers => {
        'Retry-After' => strftime('%a, %d %b %Y %H:%M:%S GMT',
                                  gmtime(time + $skew + 2)) }}});
    ok(wait_until(10, sub { grep { $_->{status} == 429 }
                            $g->log('devices\?') }), 'C24: a date to wait for');

    my ($at) = map { $_->{time} } grep { $_->{status} == 429 } $g->log;

    ok(wait_until(10, sub { grep { $_->{time} > $at }
                            $g->log('devices\?') }), 'C24: asked again');

    my ($again) = map { $_->{time} } grep { $_->{time} > $at }
                  $g->log('devices\?');

    cmp_ok($again - $at, '>=', 0.9, 'C24: by the clock of the directory');
    cmp_ok($again - $at, '<=', 3, 'C24: and not by ours');
    $g->change('device', $device->{id}, disabled);
    $d->becomes($cert, 'hold', 'C24: goes on');
    $d->{nginx}->stop;
    $g->stop;
}

$t->done;
