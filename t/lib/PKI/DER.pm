package PKI::DER;

# DER, written and read: enough to ask an OCSP responder odd questions and
# to take its answers apart without the help of what is being tested.

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(tlv seq oid octets integer enum null explicit
                 der_parse der_oid der_time);


# writer: each returns the octets of one element

sub tlv {
    my ($tag, @content) = @_;

    my $content = join('', @content);
    my $len = length $content;

    return pack('CC', $tag, $len) . $content if $len < 128;

    my $octets = pack('N', $len);
    $octets =~ s/^\0+//;

    return pack('CC', $tag, 0x80 | length $octets) . $octets . $content;
}

sub seq      { return tlv(0x30, @_) }
sub octets   { return tlv(0x04, @_) }
sub null     { return tlv(0x05) }
sub enum     { return tlv(0x0a, chr shift) }
sub explicit { my $n = shift; return tlv(0xa0 | $n, @_) }

# takes hexadecimal digits

sub integer {
    my ($hex) = @_;

    $hex = "0$hex" if length($hex) % 2;

    my $value = pack('H*', $hex);
    $value = "\0$value" if $value eq '' || ord($value) & 0x80;

    return tlv(0x02, $value);
}

sub oid {
    my @arcs = split /\./, shift;

    my $content = '';

    for my $arc ($arcs[0] * 40 + $arcs[1], @arcs[2 .. $#arcs]) {
        my $octets = chr($arc & 0x7f);

        $octets = chr(0x80 | ($arc & 0x7f)) . $octets while $arc >>= 7;
        $content .= $octets;
    }

    return tlv(0x06, $content);
}


# reader: a list of { tag, content, raw, kids } out of octets; dies on what
# is not DER

sub der_parse {
    my ($der) = @_;

    my @list;
    my $pos = 0;

    while ($pos < length $der) {
        my $start = $pos;
        my $tag = ord substr($der, $pos++, 1);

        die "DER: cut\n" if $pos >= length $der;
        my $len = ord substr($der, $pos++, 1);

        if ($len & 0x80) {
            my $n = $len & 0x7f;

            die "DER: length\n" if $n == 0 || $n > 4
                                   || $pos + $n > length $der;

            $len = hex unpack('H*', substr($der, $pos, $n));
            $pos += $n;

            die "DER: length not minimal\n"
                if $len < 128 || $len < 1 << (8 * ($n - 1));
        }

        die "DER: cut\n" if $pos + $len > length $der;

        my $content = substr($der, $pos, $len);
        $pos += $len;

        push @list, {
            tag     => $tag,
            content => $content,
            raw     => substr($der, $start, $pos - $start),
            kids    => $tag & 0x20 ? [ der_parse($content) ] : [],
        };
    }

    return @list;
}

sub der_oid {
    my ($content) = @_;

    my @arcs;
    my $n = 0;

    for my $octet (unpack('C*', $content)) {
        $n = $n << 7 | $octet & 0x7f;
        next if $octet & 0x80;

        push @arcs, @arcs ? $n : (int($n / 40), $n % 40);
        $n = 0;
    }

    return join '.', @arcs;
}

# seconds since the Epoch out of a GeneralizedTime as RFC 5280 wants it

sub der_time {
    my ($text) = @_;

    require Time::Local;

    $text =~ /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/
        or die "DER: time \"$text\"\n";

    return Time::Local::timegm_modern($6, $5, $4, $3, $2 - 1, $1);
}


1;
