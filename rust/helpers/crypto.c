// SPDX-License-Identifier: GPL-2.0

#include <crypto/aead.h>
#include <crypto/aes-gcm.h>
#include <crypto/chacha.h>
#include <crypto/sha2.h>
#include <crypto/utils.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/string.h>

void quic_helper_aead_request_set_crypt(struct aead_request *req,
					struct scatterlist *src,
					struct scatterlist *dst,
					unsigned int len, u8 *iv)
{
	aead_request_set_crypt(req, src, dst, len, iv);
}

void quic_helper_aead_request_set_ad(struct aead_request *req,
				     unsigned int len)
{
	aead_request_set_ad(req, len);
}

struct aead_request *quic_helper_aead_request_alloc(struct crypto_aead *tfm,
						    gfp_t gfp)
{
	return aead_request_alloc(tfm, gfp);
}

void quic_helper_aead_request_free(struct aead_request *req)
{
	aead_request_free(req);
}

void quic_helper_aead_request_set_callback(struct aead_request *req, u32 flags)
{
	aead_request_set_callback(req, flags, NULL, NULL);
}

void quic_helper_crypto_free_aead(struct crypto_aead *tfm)
{
	crypto_free_aead(tfm);
}

void quic_helper_sg_set_buf(struct scatterlist *sg, const void *buf,
			    unsigned int len)
{
	sg_set_buf(sg, buf, len);
}

void quic_helper_sg_mark_end(struct scatterlist *sg)
{
	sg_mark_end(sg);
}

void quic_helper_memzero_explicit(void *s, size_t count)
{
	memzero_explicit(s, count);
}

unsigned int quic_helper_crypto_aead_ivsize(struct crypto_aead *tfm)
{
	return crypto_aead_ivsize(tfm);
}

/* True for memory that scatter lists can name: not stacks, not vmalloc. */
bool quic_helper_in_linear_map(const void *p)
{
	return (unsigned long)p >= PAGE_OFFSET && p < high_memory;
}

void quic_helper_aes_encrypt_block(const struct aes_enckey *key, u8 *out,
				   const u8 *in)
{
	aes_encrypt(key, out, in);
}

void quic_helper_chacha_init(struct chacha_state *state, const u32 *key,
			     const u8 *iv)
{
	chacha_init(state, key, iv);
}

void quic_helper_hmac_sha256_update(struct hmac_sha256_ctx *ctx,
				    const u8 *data, size_t len)
{
	hmac_sha256_update(ctx, data, len);
}

void quic_helper_hmac_sha384_update(struct hmac_sha384_ctx *ctx,
				    const u8 *data, size_t len)
{
	hmac_sha384_update(ctx, data, len);
}
