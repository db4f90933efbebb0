import java.io.FileInputStream;
import java.security.cert.*;
import java.util.*;

/*
 * Java's PKIX validation with revocation by CRLs only.  Arguments: the CA's
 * certificate, a CRL, a delta CRL, certificates.  Prints a line for each
 * CRL: its number of entries, when its signature is right; and one for each
 * certificate: "good", or "revoked" and the reason, or what else went wrong,
 * then what the delta says: "same", or a reason.
 */

public class CrlCheck {

    private static CertificateFactory factory;

    public static void main(String[] args) throws Exception {
        factory = CertificateFactory.getInstance("X.509");

        X509Certificate ca = load(args[0]);
        X509CRL crl = loadCrl(args[1], ca);
        X509CRL delta = loadCrl(args[2], ca);

        for (int i = 3; i < args.length; i++) {
            X509Certificate cert = load(args[i]);
            X509CRLEntry entry = delta.getRevokedCertificate(cert);

            System.out.println(check(ca, crl, cert) + ", "
                + (entry == null ? "same" : entry.getRevocationReason()));
        }
    }

    private static X509Certificate load(String file) throws Exception {
        try (FileInputStream in = new FileInputStream(file)) {
            return (X509Certificate) factory.generateCertificate(in);
        }
    }

    private static X509CRL loadCrl(String file, X509Certificate ca)
        throws Exception
    {
        try (FileInputStream in = new FileInputStream(file)) {
            X509CRL crl = (X509CRL) factory.generateCRL(in);
            Set<? extends X509CRLEntry> entries = crl.getRevokedCertificates();

            crl.verify(ca.getPublicKey());
            System.out.println(entries == null ? 0 : entries.size());

            return crl;
        }
    }

    private static String check(X509Certificate ca, X509CRL crl,
        X509Certificate cert) throws Exception
    {
        CertPathValidator validator = CertPathValidator.getInstance("PKIX");
        PKIXRevocationChecker checker =
            (PKIXRevocationChecker) validator.getRevocationChecker();
        PKIXParameters params =
            new PKIXParameters(Set.of(new TrustAnchor(ca, null)));

        checker.setOptions(EnumSet.of(
            PKIXRevocationChecker.Option.PREFER_CRLS,
            PKIXRevocationChecker.Option.NO_FALLBACK,
            PKIXRevocationChecker.Option.ONLY_END_ENTITY));
        params.addCertPathChecker(checker);
        params.addCertStore(CertStore.getInstance("Collection",
            new CollectionCertStoreParameters(List.of(crl))));

        try {
            validator.validate(factory.generateCertPath(List.of(cert)),
                               params);
            return "good";

        } catch (CertPathValidatorException e) {
            if (e.getCause() instanceof CertificateRevokedException) {
                return "revoked " + ((CertificateRevokedException)
                    e.getCause()).getRevocationReason();
            }

            return e.getReason() + " " + e.getMessage();
        }
    }
}
