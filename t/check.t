# What scripts/check says about the sources, a test per check.

use strict;
use warnings;

use Test::More;

my @lines = split /\n/, `scripts/check 2>&1`;
my $exit = $?;
my @findings;

for (@lines) {
    if (/^(not )?ok (\w+)$/) {
        ok(!$1, $2) or diag(join "\n", @findings);
        @findings = ();

    } else {
        push @findings, $_;
    }
}

is($exit, 0, 'scripts/check') or diag(join "\n", @findings);

done_testing();
