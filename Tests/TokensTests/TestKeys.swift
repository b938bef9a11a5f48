// The keys that the token tests use: those of the standards' examples, and some made for these tests only.

enum TestKeys {
    /// RFC 7515 A.1, the octets of `k`.
    static let sharedSecret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"

    /// RFC 7515 A.2, the public half.
    static let rsaPublic = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJj
        NiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz
        P1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo
        9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB
        EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX
        FvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp
        oQIDAQAB
        -----END PUBLIC KEY-----
        """

    /// RFC 7515 A.3.
    static let ecPrivate = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff
        H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp
        7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt
        -----END PRIVATE KEY-----
        """

    /// RFC 7515 A.3, the public half.
    static let ecPublic = """
        -----BEGIN PUBLIC KEY-----
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7
        6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==
        -----END PUBLIC KEY-----
        """

    /// RFC 8037 A.1.
    static let edPrivate = """
        -----BEGIN PRIVATE KEY-----
        MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
        -----END PRIVATE KEY-----
        """

    /// RFC 8037 A.2.
    static let edPublic = """
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
        -----END PUBLIC KEY-----
        """

    /// Made for these tests and used for nothing else.
    static let rsaPrivate = """
        -----BEGIN PRIVATE KEY-----
        MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCtQmrIbXr4etQ/
        BtXvwx0+pqOgET0MgstjDxGJhfXhAAsucOtNTDJ8KvUjBgJC27DzkuuvEvFQ2krX
        3UhJPotN3plk9J4dGB3TufqZdIstYC2E1AQlD6JXjzkEcL8i7X/94FJS6t8pH9Xu
        maYfQE4nwU1TqBPEd4/BFo3vbiJioKDpeZbZJNdlOfkRpfYhMXQpQQ+QhQCyEIEh
        Bp9H5T8uwuXrxhl0nCCOE7qeMZOopTiuRvYwMBWbwU2FUnjomq8TRb1/5eC/VrJs
        h6S9wcFG3SlXaSNsvjcjwnt/jJ7n9KGuOfkkW48DEYkRbIhhMcuv/yON+/wY0XK/
        5L0mvyFRAgMBAAECggEAEdo9gEY2pO6cGtvwlJ5XT7ayNrq7/oNmI2CAuznKUHs1
        i70fI8V5kL2I6YlTl5HFSY3Omukx5BXAHz7J9WEcT8NjbSl+9sq+vQulaKU/d4cY
        3Z5OiIaUQN8tPfnDmhzcgrt35BsXMEi7XZTnrwHsY7CJcBiqI8T5kyjoql5/7MdK
        TINdwHajEe+Z4QLYlbD0+q6yaxyU9oaOczFOiWv8xAuxU0E62iKWTatwm81XoeLN
        xGuZOHsIbsQyF/BOmYS6Nvc40NHFIco55H2PHQLabiGwrEVR8bisVHby6YiN4JU9
        H+ds9h+0AhEeWEFn9vZqSH5I8KpwC/XUyVJ2bTSHOQKBgQDxIiYeN0pj8pnuZwPb
        RX951SzDVU3DwWfYvP8xln3cKH7t/0hHIvVvudKB5/AoYMcwDwX8dGkY0c0QBeWE
        +Cq9DQUSFiOFLgiauj/bUll5tUpE+qBSp5tC/CcTFKwWndtlwu5TlnuqGuit5Ncm
        xrxjKHy5cnBM+bH9JGClqrXECQKBgQC38QBpCybmRhHn7W0sq2zOE+QvuvxmNJ24
        w1fqnbHQyBENELKuxPmY1jKpwSRqc8iSKOUkqdAKrRv9PE9i9IOwBCQ8bkDFCjDE
        ZUrPl2mSGsYyNPhO7XCNmBRdG1kvAu7KemmYhVV7Bit8GLHwHHcdSpcv0/K71uUp
        7J1Q5bKVCQKBgQDZsxr27LQcyEpxElBJBtWwCOYA9GLg+Rvocblz64p12Zm/BVsb
        3lP4KqwC3IPV8InkuauN4QuBfOjGLoypH+R2CesqCRLIimb6SmycdhyR5TrIS/2y
        od9q+nvMnj0/rgUGOpcwoAvF58VqOdCFEafDXio8wzTgSg6HnPAkoZq5AQKBgHf6
        J5Vco8vRan6H3A0l53tneBA1+8nCihnouKCcqU4QIScPfC0I5/DrzfHxvAn/aZUE
        PaozZTKBhV8hBnr6GCcoHGaaV37uTa7cjvZmwYJ+GkbHTCtXLnH8/1NXsk06sXy6
        acQFPCNZe+Weyfle58bgT0rwCUTCP4mf/2Cz4k7ZAoGAIZcn5rOIG3G1Pfq55PzD
        LDjLxjZqcHyBBekIxSb2w4BURJpTXamB+Reo7NEHTxz6Ho+Yo47rfo+l5NtyM75X
        aoPfqEZSWJ6gi27RHIHM4haZYCJ8PuckwF264YNupg+ixniYyNowCHJlP/wfHwgq
        J0IjmRPp3sI1I283fL/fB0k=
        -----END PRIVATE KEY-----
        """

    /// 1024 bits, made for these tests.
    static let rsaTooSmall = """
        -----BEGIN PUBLIC KEY-----
        MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCqC9NLI++EHsOy23THfYUJ+8Y8
        jZp2UtdyYvqTdDCT/2DwGpmn1qHYBSgqVlLrfD7l4fdch7TU6HyOhzqBSd6MHsKJ
        Zvq2GNLjWOkjtpRZb7+PLXdi1XNAmIO3nrKNs02kQBZWlMXiMTyzhDYyNqktlHU9
        S6bnrwiPxRwyNEqanwIDAQAB
        -----END PUBLIC KEY-----
        """

    /// On another curve, made for these tests.
    static let ecOnP384 = """
        -----BEGIN PUBLIC KEY-----
        MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEnMLMWyKS87VltQFN8NeE1+J8VaMUzI1f
        GAa6fbSnXMObtcn3r1Ud1wPv8imaH4Jd/Zb6y/V4J+uIj0F+oejenAcVE6jcU9nS
        cqz2hkf/G4SOaIiGZ+oh4RLvNOgHi5Sx
        -----END PUBLIC KEY-----
        """
}
