package chart

import (
	"fmt"
	"strings"
)

// Language is what a chart's own words are in: legends, notes, hover texts and
// Alt. Titles and names are shown as they are given.
type Language int

// Languages of charts.
const (
	English Language = iota
	Japanese
)

// phrases are a chart's own words in one language. Formats get their arguments in
// the order in which English has them.
type phrases struct {
	fit, fitBand, equal                  string
	leftOut, noRoom, shown               string // counts; names
	undefinedIn                          string // a series, counts
	image, caption                       string // legend of a map
	imageOf, captionOf, arrow            string
	ellipses, centres, neighbours        string
	images, captions                     string
	notDefined, noValue, grey            string
	density, mean, means, value, rowName string
	columnName, name, group, of          string
	detail, interval                     string
	from, to, low, high, all             string
	show, class                          string
	pointSize, alpha, limit              string
	confidence, accuracy, share          string
	chosen, blended, ringed              string
	perfect, ece, binOf, wilson          string
	shareOfClass, confusion              string
	noImages                             string
	and, list                            string
	scatterAlt, barsAlt, heatAlt         string
	histogramsAlt, meanAlt               string
	mapAlt, linesAlt                     string
	reliabilityAlt, frontierAlt          string
	galleryAlt                           string
	trueClass, predicted                 string
	before, after, ofImages              string
}

var english = phrases{
	fit: "fit", fitBand: "fit and its 95 % band", equal: "equal",
	leftOut: "%d of %d points left out, value undefined: %s.", noRoom: "No room for %d names: hover over the points.", shown: "%d of %d images shown.",
	undefinedIn: "%s: %d of %d values undefined, left out.",
	image:       "image, coloured by class", caption: "caption", imageOf: "image of %s", captionOf: "caption of %s", arrow: "Arrow: %s.",
	ellipses: "Ellipses hold 95 % of a normal law with the points' mean and covariance.", neighbours: "Near points are alike; distances between groups, their sizes and the directions say nothing.", centres: "from the mean image to the mean caption",
	images: "images", captions: "captions",
	notDefined: "not defined", noValue: "no value", grey: "Grey: %s.",
	density: "density", mean: "mean", means: "%s (mean %s, n = %s)", value: "value", rowName: "row",
	columnName: "column", name: "name", group: "group", of: "of", detail: "more", interval: "interval",
	from: "from", to: "to", low: "from (95 %)", high: "to (95 %)", all: "all", show: "show ", class: "class",
	pointSize: "point size ", alpha: "α", limit: "limit %s",
	confidence: "confidence", accuracy: "accuracy", share: "share of images",
	chosen: "recommended", blended: "Each point is a share α of the tuned weights; 0 is the model as it was.", ringed: "Ringed: recommended.",
	perfect: "perfect calibration", ece: "%s: ECE %s, n = %d", binOf: "confidence %s to %s, %d images", wilson: "Whiskers: 95 % intervals from the number of images in a bin.",
	shareOfClass: "share of the class (%)", confusion: "What images are taken for",
	noImages: "no images of the class",
	and:      " and ", list: ", ",
	scatterAlt: "%s. Scatter plot of %s against %s, %d points.", barsAlt: "%s. Bars of %s for %d rows.", heatAlt: "%s. Heat map of %s, %d rows (%s) by %d columns (%s).",
	histogramsAlt: "%s. Histograms of %s: %s.", meanAlt: "%s (mean %s)",
	mapAlt: "%s. Map of %d images and %d captions of %d classes.", linesAlt: "%s. Curves of %s over %s: %s.",
	reliabilityAlt: "%s. Reliability diagram: %s.", frontierAlt: "%s. %s against %s while weights are blended: %s.",
	galleryAlt: "%s. Pictures: %d.",
	trueClass:  "class", predicted: "recognised as", before: "before", after: "after", ofImages: "%d of %d images",
}

var japanese = phrases{
	fit: "回帰直線", fitBand: "回帰直線と95 %信頼帯", equal: "等しい線",
	leftOut: "%d / %d 点は値が未定義のため除外: %s。", noRoom: "%d 件の名前は表示できません。点に重ねると表示されます。", shown: "%d / %d 枚の画像を表示。",
	undefinedIn: "%s: %d / %d の値は未定義のため除外。",
	image:       "画像（クラス別に着色）", caption: "説明文", imageOf: "%sの画像", captionOf: "%sの説明文", arrow: "矢印: %s。",
	ellipses: "楕円は、点の平均と共分散をもつ正規分布の95 %を囲む。", neighbours: "近い点どうしは似ている。群の間の距離、群の大きさ、向きに意味はない。", centres: "画像の平均から説明文の平均へ",
	images: "画像", captions: "説明文",
	notDefined: "未定義", noValue: "値なし", grey: "灰色: %s。",
	density: "密度", mean: "平均", means: "%s（平均 %s、n = %s）", value: "値", rowName: "行",
	columnName: "列", name: "名前", group: "群", of: "系列", detail: "詳細", interval: "区間",
	from: "下限", to: "上限", low: "下限（95 %）", high: "上限（95 %）", all: "すべて", show: "表示 ", class: "クラス",
	pointSize: "点の大きさ ", alpha: "α", limit: "上限 %s",
	confidence: "確信度", accuracy: "正解率", share: "画像の割合",
	chosen: "推奨", blended: "各点は追加学習後の重みの割合 α。0 は元のモデル。", ringed: "丸印は推奨。",
	perfect: "完全な較正", ece: "%s: ECE %s、n = %d", binOf: "確信度 %s〜%s、%d 枚", wilson: "ひげは各区間の画像枚数による95 %信頼区間。",
	shareOfClass: "クラス内の割合（%）", confusion: "画像の認識結果",
	noImages: "このクラスの画像なし",
	and:      "と", list: "、",
	scatterAlt: "%s。%sと%sの散布図、%d 点。", barsAlt: "%s。%sの棒グラフ、%d 行。", heatAlt: "%s。%sのヒートマップ、%d 行（%s）×%d 列（%s）。",
	histogramsAlt: "%s。%sのヒストグラム: %s。", meanAlt: "%s（平均 %s）",
	mapAlt: "%s。画像 %d 枚と説明文 %d 件、%d クラスの配置図。", linesAlt: "%s。%sの曲線（横軸 %s）: %s。",
	reliabilityAlt: "%s。信頼性図: %s。", frontierAlt: "%s。重みを混ぜたときの%sと%s: %s。",
	galleryAlt: "%s。画像 %d 枚。",
	trueClass:  "正解クラス", predicted: "認識結果", before: "追加学習前", after: "追加学習後", ofImages: "%d / %d 枚",
}

func (l Language) phrases() *phrases {
	if l == Japanese {
		return &japanese
	}
	return &english
}

// join lists names: a, b and c.
func (w *phrases) join(names []string) string {
	switch n := len(names); n {
	case 0:
		return ""
	case 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], w.list) + w.and + names[n-1]
	}
}

// without words the note about points that could not be drawn.
func (w *phrases) without(names []string, total int) string {
	if len(names) == 0 {
		return ""
	}
	shown := names
	if len(shown) > 6 {
		shown = append(append([]string{}, names[:6]...), "…")
	}
	return fmt.Sprintf(w.leftOut, len(names), total, strings.Join(shown, w.list))
}
