package chart

import (
	"bytes"
	"fmt"
	"image"
	"image/draw"
	"image/png"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// zoom is how many pixels of the PNG make one of the SVG, so that it stays sharp on paper.
const zoom = 2

// PNG draws the same picture as SVG does, on a light ground.
func (c *Chart) PNG() ([]byte, error) {
	d := c.layout()
	img := image.NewRGBA(image.Rect(0, 0, zoom*width, zoom*height))
	draw.Draw(img, img.Bounds(), image.NewUniform(lightGround), image.Point{}, draw.Src)
	all := inks()
	z := vector.NewRasterizer(zoom*width, zoom*height)
	for _, s := range d.strokes {
		z.Reset(zoom*width, zoom*height)
		for _, piece := range cut(s.points, dashes(s.dashes)) {
			outline(z, piece, all[s.class].width)
		}
		z.Draw(img, img.Bounds(), image.NewUniform(all[s.class].light), image.Point{})
	}
	faces := map[class]font.Face{}
	for _, w := range d.words {
		face := faces[w.class]
		if face == nil {
			var err error
			if face, err = newFace(all[w.class]); err != nil {
				return nil, fmt.Errorf("draw text: %w", err)
			}
			defer face.Close()
			faces[w.class] = face
		}
		dr := font.Drawer{Dst: img, Src: image.NewUniform(all[w.class].light), Face: face}
		x := fixed.Int26_6(zoom * w.at.X * 64)
		switch w.anchor {
		case middle:
			x -= dr.MeasureString(w.text) / 2
		case end:
			x -= dr.MeasureString(w.text)
		}
		dr.Dot = fixed.Point26_6{X: x, Y: fixed.Int26_6(zoom * w.at.Y * 64)}
		dr.DrawString(w.text)
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, img); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func newFace(k ink) (font.Face, error) {
	ttf := goregular.TTF
	if k.bold {
		ttf = gobold.TTF
	}
	f, err := opentype.Parse(ttf)
	if err != nil {
		return nil, err
	}
	return opentype.NewFace(f, &opentype.FaceOptions{Size: k.size * zoom, DPI: 72, Hinting: font.HintingVertical})
}
