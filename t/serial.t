# Serial numbers of both formats from pki-admin to the answer, and
# certificates that were issued elsewhere in the plain layout.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $keys = spew("$t->{dir}/serial.keys", "0 " . '0123456789abcdef' x 2 . "\n"
                . "# the next one\n7 " . 'fedcba9876543210' x 4 . "\n");
my $strange = spew("$t->{dir}/strange.keys", "7 " . '00' x 32 . "\n");
my $guid = 'd6b58414-60ed-426b-b382-276a3e8d626d';

# pki-admin

for (['Device', guid => $guid], ['User', guid => $guid], ['Static'],
     ['JamfComputer', id => 4], ['JamfUserWithComputer', id => 4, user => 17])
{
    my ($kind, %o) = @$_;

    for my $file (undef, $keys) {
        my @key = defined $file ? ('key-file' => $file) : ();
        my $serial = $t->serial(kind => $kind, %o, @key);
        my ($status, $text) = $t->admin('serial', 'show', $serial,
                                        map { s/^key/--key/r } @key);

        like($serial, defined $file ? qr/^17[0-9A-F]{38}$/
                                    : qr/^[4-7][0-9A-F]{39}$/,
             "$kind: " . ($file ? 'sealed' : 'plain'));
        like($text, qr/\Q$kind\E/i, 'shows its kind');
        like($text, qr/\Q$guid\E/i, 'and its object') if $o{guid};
        isnt($t->serial(kind => $kind, %o, @key), $serial, 'never the same');
    }
}

my $sealed_serial = $t->serial(kind => 'Device', guid => $guid,
                               'key-file' => $keys);

unlike($sealed_serial, qr/B382276A3E8D626D/, 'sealed hides the object');

my (undef, $closed) = $t->admin('serial', 'show', $sealed_serial,
                                '--key-file', $strange);
unlike($closed, qr/\Q$guid\E/, 'and another key does not open it');


# recorded or not, under both policies

my %serials = (
    plain => $t->serial(kind => 'Device', guid => $guid),
    sealed => $sealed_serial,
    strange => '0A0B0C0D',
);
my %recorded = map { $_ => $t->cert($ca, "r-$_", serial => $serials{$_}) }
               keys %serials;
my %not = (
    plain => $t->serial(kind => 'Device', guid => $guid),
    sealed => $t->serial(kind => 'Device', guid => $guid,
                         'key-file' => $keys),
    forged => '17' . '5A' x 19,
    strange => '0A0B0C0E',
    'of SCEPman' => '4039B3BB1484B5D6ED606B42B382276A3E8D626D',
);

$t->redis;
$t->record('demo', values %recorded);

my %n = (
    'unknown unknown' => $t->nginx(),
    'unknown serial' => $t->nginx(issuer => 'unknown serial;'),
    sealed => $t->nginx(issuer => 'serial sealed; unknown serial;'
                                  . "serial_key $keys;"),
    extended => $t->nginx(issuer => 'extended_revoke on;'),
);

my %expect = (
    'unknown unknown' => {},
    'unknown serial' => { plain => 1, 'of SCEPman' => 1 },
    sealed => { sealed => 1 },
    extended => {},
);

for my $how (sort keys %n) {
    my $n = $n{$how};

    ok($n->ready, "$how: ready");

    is($n->ask($ca, $recorded{$_})->{cert}, 'good', "$how: recorded $_")
        for sort keys %recorded;

    for (sort keys %not) {
        my $r = $n->ask($ca, $not{$_});
        my $want = $expect{$how}{$_} ? 'good'
                   : $how eq 'extended' ? 'revoked' : 'unknown';

        # an issuer that seals may still have plain ones from before
        next if $how eq 'sealed' && /^(plain|of SCEPman)$/;

        is($r->{cert}, $want, "$how: not recorded, $_: $want");

        next unless $how eq 'extended';

        is($r->{reason}, 6, 'certificateHold');
        is($r->{revoked_at}, 0, 'since 1970');
        my $ext = $r->{extensions}{'1.3.6.1.5.5.7.48.1.9'};

        ok($ext && !$ext->{critical}, 'extended-revoke, not critical');
    }
}

my $usual = $n{extended}->ask($ca, $recorded{plain});

ok(!$usual->{extensions}{'1.3.6.1.5.5.7.48.1.9'},
   'not in an answer that is about ours');

# a certificate that is not recorded and revoked all the same

my ($status) = $t->admin('revoke', '--redis', $t->redis_addr, '--issuer',
                         'demo', '--reason', 1, '--unrecorded',
                         $not{'of SCEPman'});

is($status, 0, 'revoked by pki-admin');
is($n{'unknown serial'}->ask($ca, $not{'of SCEPman'})->{cert}, 'revoked',
   'unknown serial: revoked');
is($n{'unknown unknown'}->ask($ca, $not{'of SCEPman'})->{cert}, 'revoked',
   'unknown unknown: revoked');

$t->done;
